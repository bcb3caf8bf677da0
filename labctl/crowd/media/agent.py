"""ICE as a bridge's client needs it (RFC 8445): every candidate of the bridge is checked.

The messages are aioice's.  Its Connection does not do here: it binds a socket on each address of
this machine, gives up the other checks when one pair is nominated, and throws away the answer that
says that credentials are wrong; what a lab has to tell is which candidate fails and how.  The cost
is about the same: aioice and aiortc's DTLS 7 ms of CPU for both ends, with ours at one of them 9,
a pair of RTCPeerConnections 19 (benchmarks/media.py --parts).  The bridge is controlling, as Jicofo
has it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable

from aioice import stun

from labctl.crowd.media.check import SILENT, Address, Check, Path, refused, why_not
from labctl.crowd.media.offer import Candidate, Transport
from labctl.crowd.media.problem import MediaProblem, MediaStage, Reach, render_address

FIRST_RETRY, LAST_RETRY = 0.1, 0.8
"""Seconds between two checks of a candidate that does not answer; doubled from first to last."""
PATIENCE_FOR_NOMINATION = 0.25
"""Seconds after the first answer in which the bridge, which is controlling, may choose."""
CONSENT_EVERY = 2.5  # seconds
CONSENT_LOST = 6
"""Checks in a row without an answer after which the way is lost: 15 s, as browsers have it."""
PRIORITY = 110 << 24 | 65535 << 8 | 255  # of a peer-reflexive candidate (RFC 8445, 7.1.1)


class Agent:
    """One session's ICE; a selected check says where to send."""

    __slots__ = (
        "_by_address", "_checks", "_controlling", "_foreign", "_selected", "_sent", "_task",
        "_tie", "_transport", "_waiting", "consent_lost", "pwd", "ufrag",
    )  # fmt: skip

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.ufrag, self.pwd = secrets.token_hex(4), secrets.token_hex(12)
        self._tie = secrets.randbits(64)
        self._controlling = False
        self._checks: list[Check] = []
        self._by_address: dict[Address, Check] = {}
        self._sent: dict[bytes, tuple[Check, float]] = {}
        """By transaction: what was asked, and when."""
        self._waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._selected: Check | None = None
        self._task: asyncio.Task[None] | None = None
        self._foreign = 0
        self.consent_lost = 0
        """Checks in a row on the chosen way that stayed without an answer."""

    # Candidates.

    def check(
        self, candidates: Iterable[Candidate], path_for: Callable[[int], Path | None]
    ) -> None:
        """Begin to check these; `path_for` gives the way for a version of IP."""
        for candidate in candidates:
            if (candidate.address, candidate.port) in self._by_address:
                continue
            version = candidate.version
            path = path_for(version) if version and candidate.protocol == "udp" else None
            self._add(Check(candidate, path))

    def _add(self, check: Check) -> None:
        self._checks.append(check)
        if check.path is None:
            check.stage, check.detail = MediaStage.OFFER, why_not(check.candidate)
            return
        self._by_address[check.address] = check
        check.task = asyncio.get_running_loop().create_task(self._keep_asking(check))

    async def _keep_asking(self, check: Check) -> None:
        delay = FIRST_RETRY
        while check.stage is not None:
            self._ask(check)
            await asyncio.sleep(delay)
            delay = min(delay * 2, LAST_RETRY)

    def _ask(self, check: Check, *, nominate: bool = False) -> None:
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        request.attributes["USERNAME"] = f"{self._transport.ufrag}:{self.ufrag}"
        request.attributes["PRIORITY"] = PRIORITY
        role = "ICE-CONTROLLING" if self._controlling else "ICE-CONTROLLED"
        request.attributes[role] = self._tie
        if nominate:
            request.attributes["USE-CANDIDATE"] = None
        request.add_message_integrity(self._transport.pwd.encode())
        now = asyncio.get_running_loop().time()
        self._sent[request.transaction_id] = (check, now)
        self._send(check, bytes(request))

    def _send(self, check: Check, datagram: bytes) -> None:
        assert check.path is not None
        try:
            check.path.send(datagram, check.address)
        except OSError as error:
            check.stage, check.detail = MediaStage.BLOCKED, refused(error)
        else:
            if check.stage is MediaStage.BLOCKED:
                check.stage, check.detail = MediaStage.NO_ANSWER, SILENT

    # What comes in.

    def receive(self, datagram: bytes, source: Address, path: Path) -> None:
        """A datagram whose first byte says that it is STUN."""
        try:
            message = stun.parse_message(datagram)
        except ValueError:
            return
        if message.message_class is stun.Class.REQUEST:
            self._on_request(message, source, path)
        elif message.message_class in (stun.Class.RESPONSE, stun.Class.ERROR):
            sent = self._sent.pop(message.transaction_id, None)
            if sent is not None:
                self._on_answer(*sent, message)

    def _on_answer(self, check: Check, asked: float, message: stun.Message) -> None:
        if message.message_class is stun.Class.ERROR:
            self._on_error(check, message)
        elif not message.check_message_integrity(self._transport.pwd.encode()):
            check.stage = MediaStage.WRONG_CREDENTIALS
            check.detail = "its answer is signed with another password than the Jingle's"
        else:
            now = asyncio.get_running_loop().time()
            check.stage, check.detail, check.seconds = None, "", now - asked
            self._forget(check)
            self.consent_lost = 0
            self._reconsider()

    def _forget(self, check: Check) -> None:
        """Its open checks no longer matter."""
        passed = [name for name, (one, _) in self._sent.items() if one is check]
        for name in passed:
            del self._sent[name]

    def _on_error(self, check: Check, message: stun.Message) -> None:
        if message.error_code == 487:
            self._controlling = not self._controlling
            self._ask(check)
        elif message.error_code in (400, 401):
            check.stage = MediaStage.WRONG_CREDENTIALS
            check.detail = f"it answered with error {message.error_code}"
        elif check.stage is not None:
            check.detail = f"it answered with error {message.error_code}"

    def _on_request(self, message: stun.Message, source: Address, path: Path) -> None:
        wanted = f"{self.ufrag}:{self._transport.ufrag}"
        ours = message.attributes.get("USERNAME") == wanted
        if not (ours and message.check_message_integrity(self.pwd.encode())):
            self._foreign += 1
            self._reply(message, source, path, error=(401, "Unauthenticated"))
            return
        self._reply(message, source, path)
        check = self._by_address.get(source)
        if check is None:
            check = Check(Candidate(*source, "udp", "prflx"), path)
            self._add(check)
        if "USE-CANDIDATE" in message.attributes:
            check.nominated = True
        self._reconsider()

    def _reply(
        self,
        request: stun.Message,
        source: Address,
        path: Path,
        *,
        error: tuple[int, str] | None = None,
    ) -> None:
        kind = stun.Class.ERROR if error else stun.Class.RESPONSE
        answer = stun.Message(stun.Method.BINDING, kind, transaction_id=request.transaction_id)
        if error:
            answer.attributes["ERROR-CODE"] = error
        else:
            answer.attributes["XOR-MAPPED-ADDRESS"] = source
        answer.add_message_integrity(self.pwd.encode())
        try:
            path.send(bytes(answer), source)
        except OSError:
            return  # the check to this address says so itself

    # Which way media takes.

    def _reconsider(self) -> None:
        """The bridge's choice counts as soon as that way has answered us as well."""
        valid = [check for check in self._checks if check.stage is None]
        chosen = next((check for check in reversed(valid) if check.nominated), None)
        if chosen is not None:
            self._select(chosen)
        elif valid and self._selected is None and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._choose_ourselves())

    async def _choose_ourselves(self) -> None:
        await asyncio.sleep(PATIENCE_FOR_NOMINATION)
        if self._selected is None:
            valid = [check for check in self._checks if check.stage is None]
            best = max(valid, key=lambda check: check.candidate.priority)
            if self._controlling:
                self._ask(best, nominate=True)
            self._select(best)

    def _select(self, check: Check) -> None:
        self._selected = check
        if not self._waiting.done():
            self._waiting.set_result(None)

    @property
    def selected(self) -> Check | None:
        return self._selected

    def send(self, datagram: bytes) -> None:
        """Send on the chosen way; nothing while there is none or this machine refuses."""
        check = self._selected
        if check is not None and check.path is not None:
            try:
                check.path.send(datagram, check.address)
            except OSError as error:
                check.detail = refused(error)

    async def connect(self) -> None:
        """Until a way is chosen; waits as long as the caller's deadline lets it."""
        await asyncio.shield(self._waiting)

    async def answered(self, deadline: float) -> tuple[Reach, ...]:
        """Every candidate's outcome, after each has answered or `deadline` seconds have passed."""
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline
        while loop.time() < end and any(
            check.stage not in (None, MediaStage.OFFER) for check in self._checks
        ):
            await asyncio.sleep(0.02)
        return self.reaches()

    async def keep_consent(self, on_lost: Callable[[], None]) -> None:
        """Ask on the chosen way again and again (RFC 7675); never ends by itself."""
        while True:
            await asyncio.sleep(CONSENT_EVERY * (0.8 + 0.4 * secrets.randbelow(100) / 100))
            if self._selected is not None:
                self.consent_lost += 1
                if self.consent_lost == CONSENT_LOST:
                    on_lost()
                self._forget(self._selected)
                self._ask(self._selected)

    def reaches(self) -> tuple[Reach, ...]:
        """How it stands with every candidate now."""
        return tuple(check.reach(chosen=check is self._selected) for check in self._checks)

    def problem(self) -> MediaProblem:
        """Why no way was found: the worst that was seen, with the address where it was."""
        if not self._checks:
            return MediaProblem(MediaStage.OFFER, detail="its offer has no candidates at all")
        stages = (
            MediaStage.WRONG_CREDENTIALS,
            MediaStage.BLOCKED,
            MediaStage.NO_ANSWER,
            MediaStage.OFFER,
        )
        check = min(
            (check for check in self._checks if check.stage is not None),
            key=lambda check: stages.index(check.stage or MediaStage.OFFER),
        )
        stage, detail = check.stage or MediaStage.NO_ANSWER, check.detail
        if stage is MediaStage.NO_ANSWER and self._foreign:
            stage = MediaStage.WRONG_CREDENTIALS
            detail = "it asks with other credentials than those of the Jingle"
        others = [render_address(*other.address) for other in self._checks if other is not check]
        if others:
            detail += f"; nor by {', '.join(others)}"
        return MediaProblem(stage, detail=detail, address=check.address[0], port=check.address[1])

    def close(self) -> None:
        for task in (self._task, *(check.task for check in self._checks)):
            if task is not None:
                task.cancel()
        self._waiting.cancel()
