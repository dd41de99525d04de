"""When a second is sent: the state machine of batches and real-time upload, with the time passed in."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from duco_rt.device.uploads import Upload, UploadMode


def mode(interval_s: int = 10, weight_max: int = 1000) -> UploadMode[int]:
    """A mode with the usual watchdog."""
    return UploadMode(interval_s, 180.0, weight_max)


def feed(upload: UploadMode[int], seconds: range, weight: int = 1) -> list[Upload[int]]:
    """Close these seconds, each at its own number."""
    return [sent for s in seconds for sent in upload.second(s, weight, float(s))]


def test_a_batch_is_what_its_interval_collected() -> None:
    """Ten seconds of ten, one of one, and a clock that closes a little late or early changes nothing."""
    assert feed(mode(), range(20)) == [Upload(tuple(range(10)), False), Upload(tuple(range(10, 20)), False)]
    assert feed(mode(1), range(3)) == [Upload((s,), False) for s in range(3)]
    assert feed(mode(3), range(6)) == [Upload((0, 1, 2), False), Upload((3, 4, 5), False)]
    late = mode()
    sent = [x for s in range(20) for x in late.second(s, 1, s + (0.2 if s % 3 else -0.2))]
    assert [len(x.seconds) for x in sent] == [10, 10]


def test_start_sends_the_open_batch_first_then_a_message_a_second() -> None:
    """Not in real time is what was collected before."""
    upload = mode()
    assert feed(upload, range(4)) == []
    assert upload.start(4.0) == [Upload((0, 1, 2, 3), False)]
    assert upload.realtime
    assert feed(upload, range(4, 7)) == [Upload((s,), True) for s in (4, 5, 6)]
    assert upload.start(7.0) == []


def test_stop_goes_back_to_batches() -> None:
    """A new batch begins with the next second."""
    upload = mode()
    upload.start(0.0)
    feed(upload, range(3))
    upload.stop()
    assert not upload.realtime
    assert feed(upload, range(3, 13)) == [Upload(tuple(range(3, 13)), False)]


def test_without_a_command_for_180_s_it_stops_by_itself() -> None:
    """Each command counts anew; the last second before is still real time, the next is not."""
    upload = mode()
    upload.start(0.0)
    assert upload.remaining_s(30.0) == 150.0
    upload.start(100.0)
    assert upload.remaining_s(100.0) == 180.0
    assert [x.realtime for x in feed(upload, range(101, 280))] == [True] * 179
    assert feed(upload, range(280, 290)) == [Upload(tuple(range(280, 290)), False)]
    assert not upload.realtime
    assert upload.remaining_s(290.0) == 0.0


def test_key_off_ends_real_time_and_sends_what_is_collected() -> None:
    """In either mode; again sends nothing."""
    upload = mode()
    feed(upload, range(3))
    assert upload.key_off() == [Upload((0, 1, 2), False)]
    assert upload.key_off() == []
    upload.start(3.0)
    feed(upload, range(3, 5))
    assert upload.key_off() == []
    assert not upload.realtime
    assert feed(upload, range(5, 8)) == []


def test_an_open_batch_has_its_weight_at_most() -> None:
    """A bus too full for ten seconds in memory is sent sooner, and the weight counts anew."""
    assert [len(x.seconds) for x in feed(mode(10, 100), range(9), weight=40)] == [3, 3, 3]
    assert [len(x.seconds) for x in feed(mode(10, 100), range(3), weight=1000)] == [1, 1, 1]


class Uploads(RuleBasedStateMachine):
    """Whatever is commanded in whatever order: every second is sent once and in order."""

    def __init__(self) -> None:
        super().__init__()
        self.upload = mode(5, 50)
        self.now = 0
        self.sent: list[int] = []
        self.command_s: int | None = None

    def take(self, uploads: list[Upload[int]]) -> None:
        """Remember what went."""
        self.sent += [s for upload in uploads for s in upload.seconds]

    @rule(weight=st.sampled_from([1, 30]), count=st.integers(1, 12))
    def seconds(self, weight: int, count: int) -> None:
        """Real time says so exactly while the last command is young enough."""
        for _ in range(count):
            uploads = self.upload.second(self.now, weight, float(self.now))
            if self.command_s is not None and self.now - self.command_s < 180:
                assert uploads == [Upload((self.now,), True)]
            else:
                self.command_s = None
                assert not any(upload.realtime for upload in uploads)
            self.take(uploads)
            self.now += 1

    @rule()
    def start(self) -> None:
        """After it nothing waits."""
        self.take(self.upload.start(float(self.now)))
        self.command_s = self.now
        assert self.sent == list(range(self.now))

    @rule()
    def stop(self) -> None:
        """Sends nothing by itself."""
        self.upload.stop()
        self.command_s = None

    @rule()
    def key_off(self) -> None:
        """After it nothing waits."""
        self.take(self.upload.key_off())
        self.command_s = None
        assert self.sent == list(range(self.now))

    @rule(pause=st.sampled_from([1, 60, 180]))
    def nothing_for_a_while(self, pause: int) -> None:
        """The key is off for a while: real time ended before."""
        self.key_off()
        self.sent += range(self.now, self.now + pause)
        self.now += pause

    def teardown(self) -> None:
        """All that was collected went, in order."""
        self.key_off()


TestUploads = Uploads.TestCase
TestUploads.settings = settings(max_examples=25, stateful_step_count=20)
