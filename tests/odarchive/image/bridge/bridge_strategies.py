"""Random small trees for property tests: hostile names, links, symlinks, sizes around the sector."""

from hypothesis import strategies as st

from tests.odarchive.image.bridge.bridge_trees import Dir, File, Link, Spec, Symlink

NAMES = st.binary(min_size=1, max_size=40).filter(lambda b: b not in {b".", b".."} and b"/" not in b and b"\0" not in b)


@st.composite
def specs(draw) -> Spec:
    spec: Spec = {}
    folders = [b""]
    for name in draw(st.lists(NAMES, max_size=25, unique=True)):
        path = (draw(st.sampled_from(folders)) + b"/" + name).lstrip(b"/")
        kind = draw(st.integers(0, 4))
        files = [p for p, s in spec.items() if isinstance(s, File)]
        if kind == 0:
            spec[path] = Dir()
            folders.append(path)
        elif kind == 1 and files:
            spec[path] = Link(draw(st.sampled_from(files)))
        elif kind == 2:
            spec[path] = Symlink(draw(st.binary(min_size=1, max_size=500).filter(lambda b: b"\0" not in b)))
        else:
            spec[path] = File(b"x" * draw(st.sampled_from([0, 1, 2047, 2048, 2049, 70_000])))
    return spec
