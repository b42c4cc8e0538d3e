"""Any status a changer can have, for the tests of everything that prints and parses one."""

from hypothesis import strategies as st

from robot.ports import ElementKind, ElementState, Fill, drive
from robot.wire.mtx import Report, Shape


@st.composite
def reports(draw):
    shape = Shape(draw(st.integers(0, 12)), draw(st.integers(0, 4)), draw(st.integers(0, 3)))
    places = [shape.element(n) for n in range(1, shape.slots + shape.mailslots + 1)]
    tags = st.none() | st.text("ABC019", min_size=1, max_size=32)

    def state(place):
        fill = draw(st.sampled_from([Fill.FULL, Fill.EMPTY]))
        is_full_drive = place.kind is ElementKind.DRIVE and fill is Fill.FULL
        source = draw(st.none() | st.sampled_from(places)) if is_full_drive and places else None
        return ElementState(place, fill, source, draw(tags) if fill is Fill.FULL else None)

    return Report(shape, tuple(state(place) for place in [*places, *(drive(n) for n in range(shape.drives))]))
