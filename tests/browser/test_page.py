"""The page's JavaScript in a real Chromium: Jingle to SDP and back, sources, gaps."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.browser.conftest import OFFER, Script
from tests.standins import paths  # noqa: F401

import sources as standin_sources  # isort: skip
import stanzas  # isort: skip

pytestmark = pytest.mark.browser

SDP = OFFER.with_name("offer.sdp")
# A session whose focus takes what it gets; `asked` is what it was asked.
SESSION = """
    const asked = [], told = [], shown = [], hidden = [];
    const context = new AudioContext();
    const canvas = document.createElement('canvas');
    canvas.getContext('2d').fillRect(0, 0, 9, 9);
    const own = new MediaStream([
        ...context.createMediaStreamDestination().stream.getTracks(),
        ...canvas.captureStream(5).getTracks()
    ]);
    const owner = {
        nick: 'cccc3333', jid: 'me@x/y', stream: visitor ? null : own,
        channel: 'sctp', maxHeight: 180,
        report: (kind, details) => told.push({ kind, details }),
        ask: async jingle => asked.push(xml.render(jingle)),
        show: track => shown.push(track.key), hide: track => hidden.push(track.key)
    };
    const made = new session.Session(xml.parse(offer), owner);
    await made.accept();
"""
JSON_SOURCES = (
    "<jingle xmlns='urn:xmpp:jingle:1'><json-message xmlns='http://jitsi.org/jitmeet'>{}"
    "</json-message></jingle>"
)


def offer() -> str:
    return OFFER.read_text(encoding="utf-8")


def json_sources(owner: str, video: int, rtx: int, audio: int) -> str:
    video_lists = (
        f'[{{"s":{video},"n":"{owner}-v0","m":"{owner} v"}},{{"s":{rtx},"m":"{owner} v"}}]'
    )
    groups = f'[["f",{video},{rtx}]]'
    audio_lists = f'[{{"s":{audio},"n":"{owner}-a0","m":"{owner} a"}}]'
    return JSON_SOURCES.format(
        f'{{"sources":{{"{owner}":[{video_lists},{groups},{audio_lists}]}}}}'
    )


def test_an_offer_becomes_sdp(script: Script, request: pytest.FixtureRequest) -> None:
    rendered = script.run(
        """
        const jingle_ = xml.parse(offer);
        const read = jingle.readOffer(jingle_);
        const all = new lines.Lines(read);
        all.add(sources.readSources(jingle_));
        return sdp.renderSdp(read, all.all, 1);
        """,
        offer=offer(),
    )
    text = rendered.replace("\r\n", "\n")
    if request.config.getoption("--update-golden"):
        SDP.write_text(text, encoding="utf-8")
    assert text == SDP.read_text(encoding="utf-8")


def test_the_answer_is_what_the_focus_takes(script: Script) -> None:
    accept = script.run(SESSION + "return asked[0];", offer=offer(), visitor=False)
    jingle = ElementTree.fromstring(accept)
    assert jingle.get("action") == "session-accept"
    found = standin_sources.parse_contents(jingle)
    taken = standin_sources.ConferenceSources()
    taken.add("cccc3333", found)  # raises where Jicofo's rules are broken
    assert {(one.media, one.name) for one in found.sources} == {
        ("audio", "cccc3333-a0"),
        ("video", "cccc3333-v0"),
    }
    assert [(group.semantics, group.media) for group in found.groups] == [("FID", "video")]
    (transport, *others) = [
        one for one in jingle.iter() if one.tag == f"{{{stanzas.ICE}}}transport"
    ]
    assert len(others) == 1, "audio and video"
    assert transport.get("ufrag") and transport.get("pwd")
    fingerprint = transport.find(f"{{{stanzas.DTLS}}}fingerprint")
    assert fingerprint is not None and fingerprint.get("setup") == "active"
    assert len((fingerprint.text or "").split(":")) == 32
    assert [one for one in transport if one.tag.endswith("}candidate") and one.get("ip")]


def test_the_first_codec_is_vp8(script: Script) -> None:
    """Jicofo offers AV1 first; a machine that is a whole lab, too, cannot encode that much."""
    first = script.run(
        SESSION
        + """
        const line = made.connection.localDescription.sdp.match(/^m=video \\S+ \\S+ (\\d+)/m);
        return made.connection.localDescription.sdp.match(`a=rtpmap:${line[1]} (.*)`)[1].trim();
        """,
        offer=offer(),
        visitor=False,
    )
    assert first == "VP8/90000"


def test_a_visitor_offers_nothing_and_still_receives(script: Script) -> None:
    accept, shown, directions = script.run(
        SESSION
        + """return [asked[0], shown,
            made.connection.getTransceivers().map(one => one.currentDirection)];""",
        offer=offer(),
        visitor=True,
    )
    assert not standin_sources.parse_contents(ElementTree.fromstring(accept))
    assert sorted(shown) == ["aaaa1111/aaaa1111-a0", "aaaa1111/aaaa1111-v0"]
    assert set(directions) == {"recvonly"}


def test_sources_come_and_go(script: Script) -> None:
    """Every step is a renegotiation that Chromium itself must accept."""
    seen = script.run(
        SESSION
        + """
        const mids = () => made.lines.all.map(one => one.track?.key ?? one.direction);
        const steps = [ mids() ];
        for (const [ action, text ] of [
            [ 'add', more ], [ 'add', more ], [ 'remove', more ], [ 'add', other ]
        ]) {
            await made.change(action, xml.parse(text));
            steps.push(mids());
        }
        return [ steps, shown.slice(2), hidden, made.connection.signalingState ];
        """,
        offer=offer(),
        visitor=False,
        more=json_sources("bbbb2222", 31, 32, 33),
        other=json_sources("dddd4444", 41, 42, 43),
    )
    steps, shown, hidden, state = seen
    first = ["jvb/jvb-a0", "jvb/jvb-v0", "recvonly", "aaaa1111/aaaa1111-v0", "aaaa1111/aaaa1111-a0"]
    added = ["bbbb2222/bbbb2222-v0", "bbbb2222/bbbb2222-a0"]
    later = ["dddd4444/dddd4444-v0", "dddd4444/dddd4444-a0"]
    assert steps == [
        first,
        [*first, *added],
        [*first, *added],  # what is there already is passed over
        [*first, "inactive", "inactive"],
        [*first, *later],  # in the places that had become free
    ]
    assert sorted(shown) == sorted(added + later)
    assert sorted(hidden) == sorted(added)
    assert state == "stable"


@pytest.mark.parametrize("notation", ["xml", "json"])
def test_both_notations_of_sources_are_read(script: Script, notation: str) -> None:
    made = standin_sources.parse_json_sources(
        '{"sources":{"x":[[{"s":1,"n":"a-v0","m":"m v"},{"s":2,"m":"m v"},{"s":3,"m":"m v"},'
        '{"s":4,"m":"m v"}],[["s",1,3],["f",1,2],["f",3,4]],[{"s":5,"n":"a-a0","m":"m a"}]]}}'
    )
    owned = {"aaaa1111": made}
    if notation == "json":
        children = [standin_sources.render_json_sources(owned)]
    else:
        children = [
            stanzas.el(
                stanzas.JINGLE,
                "content",
                {"name": media},
                stanzas.el(
                    stanzas.RTP,
                    "description",
                    {"media": media},
                    *standin_sources.render_xml_sources(owned, media),
                ),
            )
            for media in ("audio", "video")
        ]
    text = ElementTree.tostring(stanzas.el(stanzas.JINGLE, "jingle", {}, *children), "unicode")
    tracks = script.run("return sources.readSources(xml.parse(text));", text=text)
    assert sorted((one["media"], one["name"], one["ssrc"], one["rtx"]) for one in tracks) == [
        ("audio", "a-a0", 5, None),
        ("video", "a-v0", 1, 2),  # the first layer, under which a bridge forwards them all
    ]
    assert {one["owner"] for one in tracks} == {"aaaa1111"}


@pytest.mark.parametrize(
    ("times", "now", "longest", "at"),
    [
        pytest.param([], 900, 0, None, id="nothing came"),
        pytest.param([None, 100, 120, 120, 620, 640], 650, 500, 120, id="a gap that ended"),
        pytest.param([100, 120], 1120, 1000, 120, id="a gap that lasts"),
        pytest.param([100, 400, 410], 500, 300, 100, id="short since"),
    ],
)
def test_gaps(
    script: Script, times: list[int | None], now: int, longest: int, at: int | None
) -> None:
    told = script.run(
        """
        const made = new gaps.Gaps();
        times.forEach(one => made.see(one));
        return made.toJson(now);
        """,
        times=times,
        now=now,
    )
    assert (told["longest_gap"], told["longest_gap_at"]) == (longest, at)


def test_capabilities_are_those_of_xep_0115(script: Script) -> None:
    """The hash over the answer to disco#info is the one that presence announces."""
    caps, disco = script.run(
        """
        const all = caps.featuresOf({ channel: 'auto', jsonSources: true });
        return [xml.render(await caps.capsElement(all)), xml.render(caps.discoInfo(all, 'n#v'))];
        """
    )
    from labctl.crowd.caps import verification

    query = ElementTree.fromstring(disco)
    space = "{http://jabber.org/protocol/disco#info}"
    identities = [
        (one.get("category", ""), one.get("type", ""), one.get("lang", ""), one.get("name", ""))
        for one in query.iter(f"{space}identity")
    ]
    features = [one.get("var", "") for one in query.iter(f"{space}feature")]
    assert ElementTree.fromstring(caps).get("ver") == verification(identities, features)
    assert query.get("node") == "n#v"
    assert "urn:xmpp:jingle:transports:dtls-sctp:1" in features
