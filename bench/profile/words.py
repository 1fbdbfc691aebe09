"""What is said of a profile: where the time goes, and how its numbers are to be read."""

from __future__ import annotations

from bench.records.profile import Place, Profile, Sampling


def sentence(ranked: list[Place], seen: Sampling | None) -> str | None:
    """Where the time goes, in one sentence."""
    if not ranked or seen is None:
        return None
    share, others = ranked[0].share, seen.processes - 1
    where = (
        f"the main process and {others} DataLoader worker{'s' * (others > 1)}" if others else "its process"
    )
    return (
        f"{share.value:.0%} ({max(share.low, 0):.0%} to {min(share.high, 1):.0%}) of the time that Python "
        f"works in {where} goes into {ranked[0].name}."
    )


def notes(profile: Profile) -> list[str]:
    """How a profile is to be read."""
    seen, cost = profile.sampling, profile.slowdown
    lines = []
    if seen:
        waited = f"{seen.waiting / max(seen.samples, 1):.0%} of {seen.samples:,} samples waited"
        lines.append(
            f"py-spy looked {seen.rate_hz} times a second for {seen.seconds:g} s, on {seen.recordings} "
            f"set-ups; {waited} and are in no share. "
            "It follows Python's threads; MXNet's engine computes in threads of its own, in no stack here. "
            "The flame graph shows waits too."
        )
    if seen and seen.slowdown:
        slowed = f"A round took {seen.slowdown:.2f} times as long while py-spy looked on"
        native = f", {seen.native_slowdown:.2f} with native frames" if seen.native_slowdown else ""
        lines.append(
            f"{slowed}{native} (medians). Shares and the speedscope files are from recordings of Python's "
            "frames alone: py-spy stops the process for each stack, and unwinding native frames takes it "
            "so long that the shares would be bent."
        )
    if cost:
        lines.append(
            "A run under MXNet's profiler is another regime: bulking is off and every call is timed. It took "
            f"{cost.value:.2f} ({cost.low:.2f} to {cost.high:.2f}) times as long as the unprofiled one "
            "measured beside it, so the operators' shares can be read, and no step's time comes from them."
        )
    if seen and seen.processes > 1:
        lines.append(
            "What DataLoader workers do is in the flame graph; the operators and the timeline are the main "
            "process's alone."
        )
    if any("," in one.name for one in profile.operators):
        lines.append("Operators joined by commas were run by MXNet as one.")
    return lines
