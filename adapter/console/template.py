"""The HTML of the console's pages; one file each, no scripts, nothing loaded from elsewhere."""

LANDING = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>ECM adapter</title>
<style>
:root { --ink: #1d2733; --soft: #55616e; --line: #d5dce3; --back: #f6f8fa; --card: #fff;
  --mark: #0b6e5f; --bad: #a61b1b; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6ebf0; --soft: #a3afbb; --line: #33404d; --back: #12181f; --card: #1a222b;
    --mark: #5fd0bd; --bad: #ff9a92; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
header, main, footer { max-width: 64rem; margin: 0 auto; padding: 1.25rem; }
header { padding-top: 2.5rem; }
h1 { margin: 0; font-size: 1.75rem; letter-spacing: -.01em; }
h2 { margin: 0 0 .75rem; font-size: 1.05rem; }
p { margin: .25rem 0 0; color: var(--soft); }
main { display: grid; gap: 1.25rem; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); }
section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: 1.25rem; }
table { width: 100%; border-collapse: collapse; }
caption { text-align: left; color: var(--soft); padding-bottom: .5rem; }
th, td { padding: .3rem 0; border-top: 1px solid var(--line); text-align: left;
  font-weight: normal; }
thead th { color: var(--soft); font-size: .85rem; border-top: 0; }
td, thead th:last-child { text-align: right; font-variant-numeric: tabular-nums; }
a { color: var(--mark); }
a:focus-visible { outline: 3px solid var(--mark); outline-offset: 2px; }
code { font: .9em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  overflow-wrap: anywhere; }
ul { margin: 0; padding: 0; list-style: none; }
li { padding: .35rem 0; border-top: 1px solid var(--line); }
li:first-child { border-top: 0; }
strong { font-size: .8rem; border: 1px solid; border-radius: .3rem; padding: 0 .3rem; }
strong.silent { color: var(--bad); }
li span { display: block; color: var(--soft); font-size: .9rem; }
</style>
</head>
<body>
<header>
<h1>ECM adapter</h1>
<p>Member files, ADT messages and referral forms in; FHIR R4, plan files and claims out.</p>
</header>
<main>
<section aria-labelledby="stored">
<h2 id="stored">Stored</h2>
{% if resources %}
<table>
<caption>{{ all_resources }} resources</caption>
<thead><tr><th scope="col">Type</th><th scope="col">Count</th></tr></thead>
<tbody>
{% for kind, total in resources %}
<tr><th scope="row"><a href="/fhir/{{ kind }}?_count=20">{{ kind }}</a></th>
<td>{{ total }}</td></tr>
{% endfor %}
</tbody>
</table>
{% else %}
<p>Nothing yet. Post a file, or run <code>ecm-adapter load</code>.</p>
{% endif %}
</section>
<section aria-labelledby="referrals">
<h2 id="referrals">Referrals</h2>
{% if referrals %}
<table>
<caption>{{ all_referrals }} tasks by status</caption>
<thead><tr><th scope="col">Status</th><th scope="col">Count</th></tr></thead>
<tbody>
{% for status, total in referrals %}
<tr><th scope="row"><a href="/fhir/Task?status={{ status }}">{{ status }}</a></th>
<td>{{ total }}</td></tr>
{% endfor %}
</tbody>
</table>
{% else %}
<p>No referral yet.</p>
{% endif %}
</section>
{% if feeds %}
<section aria-labelledby="feeds">
<h2 id="feeds">Feeds</h2>
<table>
<caption>ADT messages of the last day</caption>
<thead><tr><th scope="col">Feed</th><th scope="col">Last message</th><th scope="col">Refused</th>
<th scope="col">Messages</th></tr></thead>
<tbody>
{% for feed in feeds %}
<tr><th scope="row">{{ feed.name }}
{% if feed.state %}<strong class="{{ feed.state }}">{{ feed.state }}</strong>{% endif %}</th>
<td>{{ feed.last }}</td><td>{{ feed.errors }}</td><td>{{ feed.day }}</td></tr>
{% endfor %}
</tbody>
</table>
</section>
{% endif %}
<section aria-labelledby="api">
<h2 id="api">For programs</h2>
<ul>
{% for link in links %}
<li><a href="{{ link.path }}">{{ link.path }}</a><span>{{ link.text }}</span></li>
{% endfor %}
{% for link in intake %}
<li><code>{{ link.path }}</code><span>{{ link.text }}</span></li>
{% endfor %}
</ul>
</section>
</main>
<footer><p>Counts only; nothing of a member is shown here.</p></footer>
</body>
</html>
"""
