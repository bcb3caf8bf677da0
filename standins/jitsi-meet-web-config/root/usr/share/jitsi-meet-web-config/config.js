/* Stand-in by labctl for the config.js of jitsi-meet-web-config. */
/* nginx fills in the two includes below, for rooms of a tenant (https://domain/tenant/room). */
var subdomain = '<!--# echo var="subdomain" default="" -->';
var subdir = '<!--# echo var="subdir" default="" -->';
if (subdomain) {
    subdomain = subdomain.substr(0, subdomain.length - 1).split('.')
        .join('_').toLowerCase() + '.';
}

var config = {
    hosts: {
        domain: "jitsi-meet.example.com",
        focus: "focus.jitsi-meet.example.com",
        muc: 'conference.' + subdomain + "jitsi-meet.example.com",
    },
    bosh: "https://jitsi-meet.example.com/" + subdir + 'http-bind',
    websocket: "wss://jitsi-meet.example.com/" + subdir + 'xmpp-websocket',

    // Ask Jicofo over HTTP before the XMPP connection is made:
    // conferenceRequestUrl: "https://jitsi-meet.example.com/" + subdir + 'conference-request/v1',

    bridgeChannel: {
        // Several bridges in one conference offer WebSockets through nginx, one path per bridge.
        preferSctp: true,
    },

    channelLastN: -1,
    enableWelcomePage: true,
};
