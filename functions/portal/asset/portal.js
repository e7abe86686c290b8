// Saves reloads. Everything works without this module: it follows the links that are there, and takes the part that it needs from the page.
const html = globalThis.trustedTypes?.createPolicy('portal', { createHTML: s => s }) ?? { createHTML: s => s };
const find = (s, from = document) => from.querySelector(s);

// page gets a page of this site; nothing when it leads elsewhere, as it does when the session has ended.
async function page(to) {
  const r = await fetch(to, { headers: { Accept: 'text/html' } });
  if (r.redirected || !r.ok) return;
  return new DOMParser().parseFromString(html.createHTML(await r.text()), 'text/html');
}

const take = (into, from) => into.replaceWith(document.importNode(from, true));
const say = text => { const p = document.createElement('p'); p.className = 'soft'; p.textContent = text; find('#status').replaceChildren(p); };

// "Show more" puts the next rows below those that are there, and the focus on the first of these.
async function more(link) {
  const list = find('[data-list]'), next = await page(link.href), rows = next && find('[data-list]', next);
  if (!list || !rows) return location.assign(link.href);
  const first = document.importNode(rows.children[0], true);
  list.append(first, ...[...rows.children].slice(1).map(n => document.importNode(n, true)));
  const then = find('.more', next);
  then ? take(link.closest('.more'), then) : link.closest('.more').remove();
  (find('a', first) ?? first).focus();
  say(`${rows.children.length} more are shown.`);
}

// A branch of a tree opens and closes in its place.
async function branch(link) {
  const item = link.closest('li'), next = await page(link.href), there = next && document.importNode(find('#' + item.id, next), true);
  if (!there) return location.assign(link.href);
  item.replaceWith(there);
  history.replaceState(null, '', link.href);
  find('[data-branch]', there)?.focus();
}

// A part of the page that tells of work under way is taken anew until it is done. It is never done for somebody who does not look.
async function poll(wait = 1000) {
  const part = find('[data-poll]');
  if (!part) return;
  await new Promise(go => setTimeout(go, wait));
  if (!document.hidden) {
    const next = await page(location.href).catch(() => {}), there = next && find('#' + part.id, next);
    if (there && there.textContent !== part.textContent) take(part, there);
    else if (next && !there) return location.reload();
  }
  poll(Math.min(wait * 1.2, 10000));
}

// What a menu shows beyond its first links is loaded when it is opened.
async function open(menu) {
  const into = find('.sheet', menu), from = menu.dataset.load && await page(menu.dataset.load), there = from && find('#picker', from);
  if (there) { delete menu.dataset.load; into.replaceChildren(...document.importNode(there, true).childNodes); }
}

addEventListener('click', e => {
  const link = e.target.closest('a');
  for (const menu of document.querySelectorAll('details.menu[open]')) if (!menu.contains(e.target)) menu.open = false;
  if (!link || e.ctrlKey || e.metaKey || e.shiftKey || e.button) return;
  const press = 'more' in link.dataset ? more : 'branch' in link.dataset ? branch : null;
  if (press) { e.preventDefault(); press(link).catch(() => location.assign(link.href)); }
});
addEventListener('keydown', e => {
  const typing = e.target.closest('input, select, textarea');
  if (e.key === 'Escape') { const menu = find('details.menu[open]'); if (menu) { menu.open = false; find('summary', menu).focus(); } }
  if (e.key === '/' && !typing && !e.ctrlKey && !e.metaKey && !e.altKey) { const s = find('[data-key="/"]'); if (s) { e.preventDefault(); s.focus(); } }
});
for (const menu of document.querySelectorAll('details.menu')) menu.addEventListener('toggle', () => menu.open && open(menu));
find('#wrong')?.focus();
poll();
