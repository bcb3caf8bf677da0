/* Rendered by labctl for node jms; the next 'labctl up' replaces it. */
/* nginx resolves the two includes below, for rooms of a tenant (https://domain/tenant/room). */
var subdomain = '<!--# echo var="subdomain" default="" -->';
var subdir = '<!--# echo var="subdir" default="" -->';
if (subdomain) {
    subdomain = subdomain.substr(0, subdomain.length - 1).split('.')
        .join('_').toLowerCase() + '.';
}

var config = {
    hosts: {
        domain: "conf.example.org",
        focus: "focus.conf.example.org",
        muc: 'conference.' + subdomain + "conf.example.org",
    },
    bosh: "https://conf.example.org/" + subdir + 'http-bind',
    websocket: "wss://conf.example.org/" + subdir + 'xmpp-websocket',

    // Ask Jicofo over HTTP before the XMPP connection is made:
    // conferenceRequestUrl: "https://conf.example.org/" + subdir + 'conference-request/v1',

    bridgeChannel: {
        // Several bridges in one conference offer WebSockets through nginx, one path per bridge.
        preferSctp: true,
    },

    // A lab has no internet: media must not need a STUN server or a third party.
    p2p: {
        enabled: false,
        stunServers: [],
    },
    disableThirdPartyRequests: true,
    analytics: {
        disabled: true,
    },

    channelLastN: -1,
    enableWelcomePage: true,
};
