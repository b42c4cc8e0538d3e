"""Age files: the same as other programs', exact in size, read by chunk, and never quietly wrong."""

import os
import random
import stat
import subprocess
import sys
from pathlib import Path

import pyrage
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from odarchive.errors import ConfigError, DamageFound, KeyNeeded, OdarchiveError
from odarchive.image import unseal_script
from odarchive.seal import keys
from odarchive.seal.keyring import Keyring
from odarchive.seal.sizes import CHUNK, TAG, head_size, room, sealed_size
from odarchive.seal.stream import Opener, Sealer

SIZES = (0, 1, 15, 16, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 17 * CHUNK + 5)
SECRET = bytes(range(32))
SEED = bytes(range(32, 64))
PUBLIC = keys.recipient(keys.public(SECRET))
OTHER = keys.recipient(keys.public(bytes(range(1, 33))))
IDENTITY = pyrage.x25519.Identity.from_str(keys.text_of(SECRET))


def data_of(size):
    return random.Random(size).randbytes(size)


def sealed(data, context=b"c", recipients=(PUBLIC,)):
    return b"".join(
        Sealer(SEED, recipients).pieces(context, [data[: len(data) // 3], data[len(data) // 3 :]], len(data))
    )


def opened(file, step=1000):
    return b"".join(Opener([SECRET]).opened(file[at : at + step] for at in range(0, len(file), step)))


@pytest.mark.parametrize("size", SIZES)
def test_other_programs_open_what_is_written(size, tmp_path):
    data = data_of(size)
    file = sealed(data, recipients=(OTHER, PUBLIC))
    assert len(file) == sealed_size(size, 2)
    assert pyrage.decrypt(file, [IDENTITY]) == data
    key = tmp_path / "key"
    key.write_text(f"# mine\n{keys.text_of(SECRET)}\n")
    for program in (["age", "-d", "-i", key], [sys.executable, "-I", unseal_script.__file__, key]):
        done = subprocess.run(program, input=file, capture_output=True, check=False)
        assert (done.returncode, done.stdout == data, done.stderr) == (0, True, b""), program[0]


@pytest.mark.parametrize("size", SIZES)
def test_what_others_write_is_opened(size):
    data = data_of(size)
    for file in (pyrage.encrypt(data, [IDENTITY.to_public()]), sealed(data)):
        assert opened(file) == data
        assert b"".join(unseal_script.unsealed([file], [SECRET])) == data


def test_the_same_bytes_come_out_twice_and_other_contexts_share_nothing():
    data = data_of(100)
    assert sealed(data) == sealed(data)
    one, two = sealed(data, b"1"), sealed(data, b"2")
    begin = head_size(1)
    assert one[:begin] != two[:begin]
    assert one[begin : begin + 100] != two[begin : begin + 100]
    assert b"".join(Sealer(bytes(32), [PUBLIC]).pieces(b"1", [data], 100)) != one


@given(size=st.integers(0, 5 * CHUNK), data=st.data())
@example(size=0, data=None)
def test_any_range_of_chunks_is_read_alone(size, data):
    whole = data_of(size)
    file = sealed(whole)
    payload = Opener([SECRET]).payload(file[: head_size(1)])
    assert payload.head == head_size(1)
    chunks = max(1, -(-size // CHUNK))
    first = data.draw(st.integers(0, chunks - 1)) if data else 0
    length = data.draw(st.integers(0, size - first * CHUNK)) if data else 0
    begin, end = payload.span(first * CHUNK, length, size)
    assert end <= len(file)
    assert payload.range(first * CHUNK, file[begin:end], size)[:length] == whole[first * CHUNK : first * CHUNK + length]


@given(size=st.integers(1, 2 * CHUNK + 10), data=st.data())
def test_no_changed_byte_goes_unseen(size, data):
    file = bytearray(sealed(data_of(size)))
    file[data.draw(st.integers(0, len(file) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises((DamageFound, KeyNeeded)):
        opened(bytes(file))
    with pytest.raises(unseal_script.Unopened):
        list(unseal_script.unsealed([bytes(file)], [SECRET]))


@pytest.mark.parametrize("bit", range(8))
def test_no_changed_bit_at_the_end_of_the_header_goes_unseen(bit):
    file = bytearray(sealed(data_of(1)))
    for at in range(head_size(1) - 16 - 45, head_size(1)):  # the MAC in base64, its line's end, the nonce
        changed = bytes(file[:at]) + bytes([file[at] ^ 1 << bit]) + bytes(file[at + 1 :])
        with pytest.raises((DamageFound, KeyNeeded)):
            opened(changed)
        with pytest.raises(unseal_script.Unopened):
            list(unseal_script.unsealed([changed], [SECRET]))


@given(size=st.integers(0, 2 * CHUNK + 10), data=st.data())
def test_no_cut_goes_unseen(size, data):
    file = sealed(data_of(size))
    cut = file[: data.draw(st.integers(0, len(file) - 1))]
    with pytest.raises((DamageFound, KeyNeeded)):
        opened(cut)
    with pytest.raises(unseal_script.Unopened):
        list(unseal_script.unsealed([cut], [SECRET]))


@given(st.binary(max_size=400).map(lambda tail: b"age-encryption.org/v1\n" + tail) | st.binary(max_size=400))
@example(b"age-encryption.org/v1\n-> X25519 \xff\n\n--- x\n")
@example(b"age-encryption.org/v1\n" + b"-> X25519 a\n" * 9000)
def test_hostile_headers_are_refused(file):
    with pytest.raises((DamageFound, KeyNeeded)):
        opened(file)


def test_a_wrong_key_is_told_from_damage():
    with pytest.raises(KeyNeeded, match="none of the keys"):
        Opener([bytes(range(1, 33))]).payload(sealed(b"x"))


def test_keys_are_those_of_age_keygen(tmp_path):
    made = subprocess.run(["age-keygen"], capture_output=True, text=True, check=True).stdout
    path = tmp_path / "key"
    path.write_text(made)
    (secret,) = keys.identities(path)
    assert keys.text_of(secret) in made
    assert keys.public(secret) in made
    recipient = keys.new_identity(tmp_path / "new", created="today")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600
    assert (
        recipient
        == subprocess.run(
            ["age-keygen", "-y", tmp_path / "new"], capture_output=True, text=True, check=True
        ).stdout.strip()
    )
    with pytest.raises(OdarchiveError, match="never overwritten"):
        keys.new_identity(tmp_path / "new", created="today")


@given(st.binary(min_size=32, max_size=32), st.integers(0, 61), st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l"))
def test_a_mistyped_recipient_is_seen(secret, place, letter):
    text = keys.public(bytes([secret[0] & 248 | 8, *secret[1:]]))
    wrong = text[:place] + letter + text[place + 1 :]
    if wrong != text:
        with pytest.raises(ConfigError):
            keys.recipient(wrong)


@pytest.mark.parametrize("text", ["", "age1", "ssh-ed25519 AAAA", keys.text_of(SECRET), keys.public(SECRET).title()])
def test_other_words_are_no_recipients(text):
    with pytest.raises(ConfigError, match="is no recipient"):
        keys.recipient(text)


def test_errors_of_key_files_name_the_file_and_no_secret(tmp_path):
    path = tmp_path / "key"
    text = keys.text_of(SECRET)
    for body in ("", "nothing\n", text[:-1] + "X\n", f"{text}\nmore\n"):
        path.write_text(body)
        with pytest.raises(KeyNeeded) as caught:
            keys.identities(path)
        assert str(path) in str(caught.value)
        assert text[20:50] not in str(caught.value)
    with pytest.raises(KeyNeeded, match="No such file"):
        keys.identities(tmp_path / "none")


def test_a_keyring_knows_whether_a_key_is_of_the_archive(tmp_path):
    recipient = keys.new_identity(tmp_path / "key", created="")
    other = keys.new_identity(tmp_path / "other", created="")
    assert not Keyring.of((), tmp_path / "key").sealed
    assert Keyring.of((recipient,), None).opener is None
    assert Keyring.of((other, recipient), tmp_path / "key").recipients == 2
    with pytest.raises(KeyNeeded, match="does not open this archive"):
        Keyring.of((other,), tmp_path / "key")


@given(st.lists(st.integers(0, 3 * CHUNK), max_size=20), st.integers(1, 4))
def test_what_fits_into_the_room_fits_encrypted(lengths, recipients):
    usable = 1 << 20
    if sum(lengths) <= room(usable):
        assert sum(sealed_size(n, recipients) - head_size(recipients) - 2 * TAG for n in lengths) <= usable


def test_the_script_needs_python_3_9_and_nothing_else():
    imports = {line.split()[1].split(".")[0] for line in Path(unseal_script.__file__).read_text().splitlines()
               if line.startswith(("import ", "from "))}  # fmt: skip
    assert imports <= set(sys.stdlib_module_names)
    assert os.access(unseal_script.__file__, os.R_OK)
