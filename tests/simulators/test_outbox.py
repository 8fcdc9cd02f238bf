from simulators import outbox as module
from simulators.messages import Call
from simulators.outbox import Outbox


def call(action: str, *, is_transactional: bool = False, is_asked: bool = False, is_boot: bool = False) -> Call:
    return Call(action, dict, is_transactional=is_transactional, is_asked=is_asked, is_boot=is_boot)


def test_transaction_messages_keep_their_order_and_others_pass_a_blocked_one() -> None:
    outbox = Outbox(retry_interval_s=60)
    start, meter, status = call("Start", is_transactional=True), call("Meter", is_transactional=True), call("Status")
    for each in (start, meter, status):
        outbox.push(each)
    assert outbox.next(0, True) is start
    assert outbox.refused(start, 0) == 60
    assert outbox.next(10, True) is status
    outbox.done(status)
    assert outbox.next(10, True) is None
    assert outbox.next(60, True) is start


def test_a_transaction_message_is_given_up_after_its_attempts_and_counted() -> None:
    outbox, start = Outbox(attempt_limit=3, retry_interval_s=60), call("Start", is_transactional=True)
    outbox.push(start)
    assert [outbox.refused(start, 0), outbox.refused(start, 100), outbox.refused(start, 300)] == [60, 220, None]
    assert outbox.lost_count == 1
    assert len(outbox) == 0


def test_a_refused_request_is_dropped_at_once_and_says_so() -> None:
    heard: list[bool] = []
    outbox, authorize = Outbox(), Call("Authorize", dict, on_failed=heard.append)
    outbox.push(authorize)
    assert outbox.refused(authorize, 0) is None
    assert (heard, outbox.lost_count, len(outbox)) == ([False], 0, 0)


def test_only_requests_die_with_the_line() -> None:
    heard: list[bool] = []
    outbox = Outbox()
    outbox.push(Call("Authorize", dict, on_failed=heard.append))
    outbox.push(call("Stop", is_transactional=True))
    outbox.line_lost()
    assert heard == [True]
    assert outbox.pending_count == len(outbox) == 1


def test_before_acceptance_only_boots_and_what_was_asked_for_are_sent() -> None:
    outbox = Outbox()
    status, asked, boot = call("Status"), call("Heartbeat", is_asked=True), call("Boot", is_boot=True)
    for each in (status, asked, boot):
        outbox.push(each)
    assert outbox.next(0, False) is asked
    outbox.done(asked)
    assert outbox.next(0, False) is boot
    outbox.done(boot)
    assert outbox.next(0, False) is None
    assert outbox.next(0, True) is status


def test_a_full_queue_loses_the_least_precious_first() -> None:
    outbox = Outbox()
    outbox.push(call("Status"))
    for _ in range(module.CAPACITY):
        outbox.push(call("Meter", is_transactional=True))
    assert (len(outbox), outbox.lost_count) == (module.CAPACITY, 0)
    outbox.push(call("Meter", is_transactional=True))
    assert (len(outbox), outbox.lost_count) == (module.CAPACITY, 1)
