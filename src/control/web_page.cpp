#include "control/web_page.hpp"

#include "village/crypto/hash.hpp"
#include "village/wire/base64.hpp"

namespace village::control {
namespace {

constexpr const char* style = R"css(
:root { color-scheme: light dark; --ground: #f6f7f9; --card: #fff; --ink: #1c2128; --dim: #656d76; --line: #d5dae1;
  --in: #0b7285; --out: #b35309; --good: #1a7f37; --bad: #c5221f; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #101418; --card: #181d23; --ink: #e4e8ec; --dim: #8d96a0; --line: #2c333b; --in: #3bc9db;
    --out: #ffa94d; --good: #51cf66; --bad: #ff8787; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1.2rem; background: var(--ground); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.4rem; }
h2 { margin: 1.6rem 0 .5rem; font-size: 1rem; }
.dim { color: var(--dim); }
.mono { font-family: ui-monospace, monospace; font-size: .86em; overflow-wrap: anywhere; }
.good { color: var(--good); } .bad { color: var(--bad); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .7rem; margin: 1rem 0; }
.tile, .card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .7rem .9rem; }
.tile b { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
svg { display: block; width: 100%; height: 6rem; }
.in { stroke: var(--in); color: var(--in); } .out { stroke: var(--out); color: var(--out); }
polyline { fill: none; stroke-width: 1.6; vector-effect: non-scaling-stroke; }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .32rem .6rem; text-align: left; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { color: var(--dim); font-weight: 500; }
td.number, th.number { text-align: right; }
ul { margin: 0; padding-left: 1.1rem; }
form { margin: 1rem 0; } input { font: inherit; padding: .3rem .5rem; width: 20rem; max-width: 100%; }
[hidden] { display: none; }
)css";

constexpr const char* script = R"js(
'use strict';
const at = (id) => document.getElementById(id);
const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
const bytes = (n) => { let u = 0; while (n >= 1024 && u < 4) { n /= 1024; u++; } return (u && n < 100 ? n.toFixed(1) : n.toFixed(0)) + ' ' + units[u]; };
const age = (s) => s < 60 ? Math.floor(s) + ' s' : s < 3600 ? Math.floor(s / 60) + ' min' : s < 86400 ?
  Math.floor(s / 3600) + ' h ' + Math.floor(s / 60 % 60) + ' min' : Math.floor(s / 86400) + ' d ' + Math.floor(s / 3600 % 24) + ' h';
const history = { in: [], out: [] };
const history_max = 150;
let before = null, before_at = 0, token = sessionStorage.getItem('token') || '';
const key_of = (s) => [s.node, s.direction, s.core].join(' ');

function rates(status, now) {
  const old = new Map(before ? before.sessions.map((s) => [key_of(s), s]) : []);
  const elapsed = (now - before_at) / 1000;
  let sum_in = 0, sum_out = 0;
  for (const s of status.sessions) {
    const o = old.get(key_of(s));
    const known = o && o.age_s <= s.age_s && elapsed > 0;
    s.rate_in = known ? Math.max(0, s.bytes_in - o.bytes_in) / elapsed : 0;
    s.rate_out = known ? Math.max(0, s.bytes_out - o.bytes_out) / elapsed : 0;
    sum_in += s.rate_in; sum_out += s.rate_out;
  }
  for (const [list, value] of [[history.in, sum_in], [history.out, sum_out]]) {
    list.push(value);
    if (list.length > history_max) list.shift();
  }
}
function draw() {
  const top = Math.max(1024, ...history.in, ...history.out);
  for (const side of ['in', 'out']) {
    const points = history[side].map((v, i) => (600 - (history[side].length - 1 - i) * 600 / (history_max - 1)).toFixed(1) + ',' + (98 - v / top * 94).toFixed(1));
    at('line-' + side).setAttribute('points', points.join(' '));
  }
  at('top').textContent = bytes(top) + '/s';
}
function rows(body, list) {
  body.replaceChildren(...list.map((cells) => {
    const row = document.createElement('tr');
    for (const [text, kind] of cells) {
      const cell = document.createElement('td');
      cell.textContent = text;
      if (kind) cell.className = kind;
      row.append(cell);
    }
    return row;
  }));
}
function lines(id, list) {
  at(id + '-part').hidden = list.length === 0;
  at(id).replaceChildren(...list.map((text) => { const item = document.createElement('li'); item.textContent = text; return item; }));
}
function mix_lines(mix) {
  const drops = Object.entries(mix.drops).map(([reason, n]) => reason + ' ' + n).join(', ') || 'none';
  const out = [mix.roles.join(', ') + (mix.layer ? ', layer ' + mix.layer : '') + ', epoch ' + mix.epoch + ', directory ' +
      (mix.directory_valid ? 'valid, ' + mix.nodes + ' nodes' : 'MISSING: nothing is forwarded'),
    'packets: ' + mix.packets_in + ' in, ' + mix.forwarded + ' forwarded, ' + mix.delivered + ' delivered, ' + mix.held + ' held; drops: ' + drops,
    'loops: ' + mix.loops_back + ' of ' + mix.loops_sent + ' came back' + (mix.loss_alarm ? ': ALARM' : '')];
  if (mix.client) out.push_back('client: ' + (mix.client.connected ? 'connected' : 'not connected') + ', ' + mix.client.delivered + ' of ' +
    mix.client.sent + ' messages delivered, ' + mix.client.received + ' received');
  return mix.problem ? out.concat(mix.problem) : out;
}
function show(status) {
  document.title = status.name + ' - villaged';
  at('name').textContent = status.name;
  at('node').textContent = status.node;
  at('state').textContent = status.state;
  at('state').className = status.state === 'ready' ? 'good' : 'bad';
  at('facts').textContent = 'villaged ' + status.version + ', up ' + age(status.uptime_s) + ', ' + status.cores + ' core' + (status.cores === 1 ? '' : 's') +
    (status.sandbox.length ? ', ' + status.sandbox.join(', ') : '');
  at('rate-in').textContent = bytes(history.in[history.in.length - 1] || 0) + '/s';
  at('rate-out').textContent = bytes(history.out[history.out.length - 1] || 0) + '/s';
  at('sessions-count').textContent = status.sessions.filter((s) => s.state === 'connected').length;
  at('streams-count').textContent = status.sessions.reduce((n, s) => n + s.streams, 0);
  at('connections').textContent = status.gateway.connections;
  status.sessions.sort((a, b) => a.peer.localeCompare(b.peer) || a.core - b.core);
  rows(at('sessions'), status.sessions.map((s) => [[s.peer], [s.direction], [s.state, s.state === 'connected' ? 'good' : ''], [s.core, 'number'],
    [s.outer + ' / ' + s.suite], [s.streams, 'number'], [s.rtt_ms ? s.rtt_ms.toFixed(1) + ' ms' : '-', 'number'], [bytes(s.rate_in) + '/s', 'number'],
    [bytes(s.rate_out) + '/s', 'number'], [bytes(s.bytes_in), 'number'], [bytes(s.bytes_out), 'number'], [age(s.age_s), 'number'], [age(s.key_age_s), 'number'],
    [s.last_error, 'bad']]));
  at('none').hidden = status.sessions.length !== 0;
  lines('mix', status.mix ? mix_lines(status.mix) : []);
  lines('listening', status.listening);
  lines('errors', status.last_errors);
}
async function refresh() {
  try {
    const reply = await fetch('/api/v1/status', { headers: token ? { Authorization: 'Bearer ' + token } : {}, cache: 'no-store' });
    at('ask').hidden = reply.status !== 401;
    if (!reply.ok) throw new Error(reply.status === 401 ? 'a token is needed' : 'the node answered ' + reply.status);
    const status = await reply.json(), now = performance.now();
    rates(status, now);
    before = status; before_at = now;
    show(status); draw();
    at('problem').textContent = '';
  } catch (problem) {
    at('problem').textContent = 'No status: ' + problem.message;
  }
  setTimeout(refresh, document.hidden ? 10000 : 2000);
}
at('ask').addEventListener('submit', (event) => {
  event.preventDefault();
  token = at('token').value;
  sessionStorage.setItem('token', token);
  at('token').value = '';
});
refresh();
)js";

constexpr const char* body = R"html(
<header>
  <h1><span id="name">villaged</span> <small id="state" class="dim">...</small></h1>
  <div class="mono dim" id="node"></div>
  <div class="dim" id="facts"></div>
  <div class="bad" id="problem" role="status"></div>
</header>
<form id="ask" hidden><label>Token of the control interface <input id="token" type="password" autocomplete="off"></label> <button>Use</button></form>
<div class="tiles">
  <div class="tile"><span class="in">in</span><b id="rate-in">-</b></div>
  <div class="tile"><span class="out">out</span><b id="rate-out">-</b></div>
  <div class="tile"><span class="dim">sessions</span><b id="sessions-count">-</b></div>
  <div class="tile"><span class="dim">streams</span><b id="streams-count">-</b></div>
  <div class="tile"><span class="dim">proxy connections</span><b id="connections">-</b></div>
</div>
<div class="card"><div class="dim">throughput of all sessions, top = <span id="top">-</span></div>
  <svg viewBox="0 0 600 100" preserveAspectRatio="none" role="img" aria-label="throughput over the last minutes"><polyline id="line-in" class="in"/><polyline id="line-out" class="out"/></svg></div>
<h2>Peers and sessions</h2>
<div class="card scroll"><table><thead><tr><th>peer</th><th>dir</th><th>state</th><th class="number">core</th><th>outer / suite</th><th class="number">streams</th><th class="number">rtt</th><th class="number">rate in</th><th class="number">rate out</th><th class="number">in</th><th class="number">out</th><th class="number">age</th><th class="number">key age</th><th>last error</th></tr></thead>
  <tbody id="sessions"></tbody></table><div id="none" class="dim">none</div></div>
<section id="mix-part" hidden><h2>Mixnet</h2><ul id="mix"></ul></section>
<section id="listening-part" hidden><h2>Listening</h2><ul class="mono" id="listening"></ul></section>
<section id="errors-part" hidden><h2>Last errors</h2><ul class="mono" id="errors"></ul></section>
)html";

std::string digest(std::string_view text) {
  return "'sha256-" + wire::base64(crypto::sha256(as_bytes(text))) + "'";
}

}  // namespace

const std::string& web_page() {
  static const std::string page =
      std::string{
          "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<title>villaged</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>"} +
      style + "</style></head>\n<body>" + body + "<script>" + script + "</script></body></html>\n";
  return page;
}

const std::string& web_page_policy() {
  static const std::string policy =
      "default-src 'none'; script-src " + digest(script) + "; style-src " + digest(style) +
      "; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
  return policy;
}

}  // namespace village::control
