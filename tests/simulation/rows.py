"""The fault table of the robot: every row with the switches of the simulation that throw it and the tests that hold it.

A switch is a name that the simulation counts as ``fault NAME``, ``person NAME`` or ``crash NAME``. A test is named as
``file::function`` under ``tests``. ``test_rows`` holds that all of them exist and that every switch is thrown.
"""

from dataclasses import dataclass

JUKEBOX = "robot/test_jukebox.py"
FAULTS = "robot/test_jukebox_faults.py"
OPENJUKE = "robot/test_jukebox_openjuke.py"
CONTRACT = "contract/test_changer.py"
ODJP = "robot/test_odjp_driver.py"
LIBRARIAN = "odarchive/librarian/test_librarian.py"
RESCUE = "odarchive/librarian/test_rescue.py"
ERRANDS = "odarchive/librarian/test_errands.py"
XORRISO = "robot/test_burner_xorriso.py"
IMAGING = "odarchive/image/test_imaging.py"
ITSELF = "simulation/test_simulation.py"
DRIVE = "robot/test_drive_sr.py"


@dataclass(frozen=True)
class Row:
    """One fault."""

    fault: str
    switches: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    note: str = ""
    """What is done otherwise than the table says, if anything is."""


ROWS: dict[int, Row] = {
    1: Row(
        "serial time-out, act not done", ("deaf",), (f"{CONTRACT}::test_a_machine_that_stays_deaf_ends_every_question",)
    ),
    2: Row(
        "serial time-out, act done",
        ("mute", "late"),
        (f"{OPENJUKE}::test_a_machine_that_stays_mute_is_unknown_until_it_speaks",),
    ),
    3: Row(
        "garbage, partial or late reply",
        ("garbled", "half", "earlier"),
        (
            f"{ODJP}::test_every_command_survives_every_disturbance",
            "contract/test_line_lost.py::test_noise_puts_no_two_discs_together",
        ),
    ),
    4: Row(
        "the USB line vanishes",
        ("unplugged",),
        (
            "robot/test_transport_reopening.py::test_a_lost_line_is_opened_again",
            "contract/test_line_lost.py::test_a_port_unplugged_in_a_move_and_plugged_in_again",
        ),
    ),
    5: Row("dropped disc", ("drop",), (f"{JUKEBOX}::test_a_dropped_disc_is_reported_unknown",)),
    6: Row(
        "double pick",
        ("double-pick",),
        (f"{CONTRACT}::test_two_discs_at_once_and_a_wrong_disc_go_unnoticed",),
        "no sensor tells it; the labels of both discs do, when they are read",
    ),
    7: Row(
        "a slot believed full is empty",
        ("take", "move"),
        (f"{JUKEBOX}::test_refusals_leave_no_trace", f"{RESCUE}::test_a_disc_that_is_lost_whole_comes_from_the_set"),
    ),
    8: Row("a slot believed empty holds a disc", ("foreign", "blank"), (f"{JUKEBOX}::test_refusals_leave_no_trace",)),
    9: Row(
        "wrong disc in a slot",
        ("swap", "wrong-slot"),
        (f"{LIBRARIAN}::test_a_disc_that_somebody_swapped_is_noticed_not_served",),
    ),
    10: Row(
        "disc unknown to the catalogue",
        ("foreign",),
        ("odarchive/librarian/test_stack.py::test_what_is_no_blank_is_put_aside",),
    ),
    11: Row(
        "blank expected, written disc found",
        ("written",),
        (f"{XORRISO}::test_a_second_burn_on_the_same_disc_is_refused",),
    ),
    12: Row(
        "written disc expected, blank found",
        ("swap",),
        (f"{LIBRARIAN}::test_a_disc_that_somebody_swapped_is_noticed_not_served",),
    ),
    13: Row("wrong medium or capacity", ("blank",), (f"{XORRISO}::test_an_image_too_large_touches_nothing",)),
    14: Row(
        "the medium cannot be written",
        ("refused",),
        ("odarchive/librarian/test_blanks.py::test_a_blank_that_the_drive_refuses_is_put_back_and_another_one_burned",),
        "not tried in a second drive: it is at fault when the same drive writes another blank",
    ),
    15: Row(
        "drive not ready after a load",
        ("not-ready",),
        (f"{DRIVE}::test_never_ready_ends", f"{ERRANDS}::test_a_drive_that_keeps_failing_is_put_aside_and_released"),
    ),
    16: Row("tray stuck", ("tray-stuck",), (f"{JUKEBOX}::test_the_arm_stays_away_from_a_tray_that_does_not_open",)),
    17: Row(
        "tray closes before the arm comes",
        ("tray-closes",),
        (f"{JUKEBOX}::test_a_tray_that_closes_behind_our_back_stops_the_arm",),
    ),
    18: Row(
        "write error",
        ("write-error",),
        (
            f"{XORRISO}::test_a_write_error_spoils_the_disc_at_that_byte",
            f"{LIBRARIAN}::test_a_blank_that_fails_is_marked_and_the_job_goes_on",
        ),
    ),
    19: Row(
        "burner killed or hangs", ("burner-killed", "burner-hangs"), (f"{XORRISO}::test_false_successes_and_hangs",)
    ),
    20: Row("buffer underrun, slow burn", ("slow-burn",), (f"{ITSELF}::test_a_seed_that_once_failed",)),
    21: Row(
        "exit status 0 but a bad burn", ("bad-burn",), (f"{LIBRARIAN}::test_a_silently_bad_burn_is_never_believed",)
    ),
    22: Row(
        "verification mismatch",
        ("bad-burn", "read-error"),
        (
            f"{LIBRARIAN}::test_another_copy_serves_what_one_cannot",
            f"{RESCUE}::test_scratched_chunks_come_from_the_set",
        ),
    ),
    23: Row("verification reads a memory", ("reads-memory",), (f"{ITSELF}::test_a_planted_bug_is_caught",)),
    24: Row(
        "session not closed",
        ("not-closed",),
        (f"{XORRISO}::test_false_successes_and_hangs",),
        "the disc is rejected, closing is not tried again",
    ),
    25: Row(
        "power lost during a motion",
        ("power", "power-cut"),
        (
            "faults/test_kill_librarian.py::test_killed_at_every_durable_step",
            f"{FAULTS}::test_a_crash_at_every_journal_call",
        ),
    ),
    26: Row("power lost during a burn", ("power-cut",), (f"{LIBRARIAN}::test_the_host_crashes_at_every_record",)),
    27: Row(
        "power lost between burn and verification",
        ("crash", "power-cut"),
        (f"{LIBRARIAN}::test_the_host_crashes_at_every_record",),
    ),
    28: Row(
        "power lost between verification and commit",
        ("crash-before-commit",),
        (f"{LIBRARIAN}::test_the_host_crashes_at_every_record",),
    ),
    29: Row(
        "power lost at a commit",
        ("crash-before-commit", "crash-after-commit"),
        ("faults/test_kill_librarian.py::test_killed_at_random_moments",),
    ),
    30: Row(
        "reboot with a disc in the drive",
        ("crash", "reboot-ejects"),
        (f"{LIBRARIAN}::test_the_host_crashes_at_every_record",),
    ),
    31: Row(
        "a disc put into a drive by hand",
        ("hand",),
        (f"{ITSELF}::test_every_switch_of_the_table_is_thrown_and_every_way_of_recovery_is_gone",),
    ),
    32: Row(
        "slots shuffled by a person",
        ("swap", "move"),
        (f"{ERRANDS}::test_an_opened_door_makes_discs_stale_until_their_labels_are_read",),
    ),
    33: Row("door opened during a motion", ("door",), (f"{CONTRACT}::test_a_door_opened_on_the_way_stops_the_arm",)),
    34: Row(
        "out of blanks, no empty slot",
        ("written", "foreign"),
        (f"{LIBRARIAN}::test_without_blanks_the_job_says_so_and_goes_on_when_they_come",),
    ),
    35: Row(
        "one id on two discs",
        (),
        ("odarchive/rebuild/test_rebuild.py::test_damage_foreign_discs_and_duplicates_are_told",),
        "the two count as one copy, wherever its label was read last",
    ),
    36: Row(
        "the clock jumps",
        ("clock",),
        (f"{ITSELF}::test_every_switch_of_the_table_is_thrown_and_every_way_of_recovery_is_gone",),
    ),
    37: Row(
        "disk full while an image is built",
        ("disk-full",),
        (f"{IMAGING}::test_a_full_disk_is_one_line_and_leaves_nothing",),
    ),
    38: Row(
        "a source changed since its scan",
        (),
        (f"{IMAGING}::test_what_vanished_or_changed_is_left_out_reported_and_planned_again",),
    ),
    39: Row(
        "catalogue lost, or an older one restored",
        (),
        ("odarchive/rebuild/test_rebuild.py::test_the_same_names_and_digests_and_the_archive_works_again",),
        "rebuilt from discs; that discs are newer than a restored catalogue shows when a disc of ours is not known: it "
        "counts as foreign and is never burned on",
    ),
    40: Row("two controllers at once", (), ("simulation/test_rows.py::test_a_second_librarian_is_refused",)),
    41: Row(
        "a drive gives data of another disc",
        ("reads-memory",),
        (f"{LIBRARIAN}::test_a_silently_bad_burn_is_never_believed",),
        "no byte is served whose digest is not right; the disc is suspected, not the drive",
    ),
    42: Row(
        "a reader starves a burner",
        ("slow-burn",),
        (f"{LIBRARIAN}::test_a_silently_bad_burn_is_never_believed",),
        "no token between drives: the reading-back decides",
    ),
}
