"use strict";
// Sorts and filters the table of workloads, opens a workload's place and draws its week. All that
// it shows it takes as text from the page, and sets as text.
document.documentElement.classList.add("js");
document.addEventListener("DOMContentLoaded", () => {
  const table = document.getElementById("workloads");
  if (!table) return;
  const bodies = [...table.tBodies];
  const links = new Map(bodies.map((body) => [body, body.rows[0].cells[0].querySelector("a")]));
  const FIGURES = new Set([4, 5, 6, 7]);
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  // A table that is laid out as blocks loses its meaning in some screen readers.
  for (const [names, role] of [
    ["#workloads, .cards", "table"],
    [":is(#workloads, .cards) > :is(thead, tbody)", "rowgroup"],
    [":is(#workloads, .cards) > * > tr", "row"],
    [":is(#workloads, .cards) > * > tr > td", "cell"],
    [":is(#workloads, .cards) > thead th", "columnheader"],
    [":is(#workloads, .cards) > tbody > tr > th", "rowheader"],
  ]) for (const one of document.querySelectorAll(names)) one.setAttribute("role", role);
  for (const one of table.querySelectorAll(".scroll"))
    Object.assign(one, { tabIndex: 0, role: "group", ariaLabel: "Replay" });

  // What a cell is sorted by: a number where its column has numbers, null where it is not known.
  const valueOf = (cell, isNumber) => {
    const text = cell.textContent.trim();
    if (!text || text === "?") return null;
    if (!isNumber) return text;
    const nudge = { "<": -0.5, ">": 0.5 }[text[0]] ?? 0;
    const number = parseFloat(text.replace(/[^0-9.eE+-]/g, "")) + nudge;
    return Number.isNaN(number) ? null : number;
  };

  const sort = (head, isNumber) => {
    const before = head.getAttribute("aria-sort");
    const first = isNumber ? "descending" : "ascending";
    const other = isNumber ? "ascending" : "descending";
    const order = before === first ? other : first;
    for (const one of table.tHead.rows[0].cells) one.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const cellOf = (body) => body.rows[0].cells[head.cellIndex];
    const keyed = bodies.map((body) => [valueOf(cellOf(body), isNumber), body]);
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * (isNumber ? a - b : collator.compare(a, b));
    });
    table.append(...keyed.map(([, body]) => body));
  };

  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent.trim();
    button.addEventListener("click", () => sort(head, FIGURES.has(head.cellIndex)));
    head.replaceChildren(button);
  }

  const text = document.getElementById("text");
  const environment = document.getElementById("environment");
  const verdict = document.getElementById("verdict");
  const shown = document.getElementById("shown");
  const searched = new Map();
  const filter = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let number = 0;
    for (const body of bodies) {
      if (!searched.has(body)) {
        const facts = body.querySelector(".more ul").textContent;
        searched.set(body, `${body.rows[0].textContent} ${facts}`.toLowerCase());
      }
      const cells = body.rows[0].cells;
      body.hidden = !(
        words.every((word) => searched.get(body).includes(word)) &&
        (!environment.value || cells[1].textContent.trim() === environment.value) &&
        (!verdict.value || cells[8].textContent.trim() === verdict.value)
      );
      number += body.hidden ? 0 : 1;
    }
    shown.textContent = `${number} of ${bodies.length} workloads shown`;
  };
  for (const one of [text, environment, verdict]) one.addEventListener("input", filter);
  document.getElementById("filter").hidden = false;
  filter();

  const close = (body) => {
    body.classList.remove("open");
    links.get(body).setAttribute("aria-expanded", "false");
  };
  const open = (body) => {
    if (body.hidden) {
      text.value = environment.value = verdict.value = "";
      filter();
    }
    body.classList.add("open");
    body.querySelector("details").open = true;
    links.get(body).setAttribute("aria-expanded", "true");
    const figure = body.querySelector("figure");
    if (figure && !figure.firstChild) week(figure);
  };
  const bodyOf = (hash) => document.getElementById(hash.slice(1))?.closest("#workloads > tbody");
  const follow = () => {
    const body = bodyOf(location.hash);
    if (!body) return;
    open(body);
    links.get(body).focus({ preventScroll: true });
    body.scrollIntoView({ block: "start" });
  };
  for (const [body, link] of links) {
    link.setAttribute("aria-expanded", "false");
    link.addEventListener("click", (event) => {
      if (!body.classList.contains("open")) return;
      event.preventDefault();
      close(body);
    });
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#w-"]');
    const body = link && bodyOf(link.hash);
    // With a key held down a link is for another tab.
    const elsewhere = event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
    if (!body || elsewhere || event.defaultPrevented) return;
    event.preventDefault();
    if (location.hash !== link.hash) history.pushState(null, "", link.hash);
    if (links.get(body) === link) open(body);
    else follow();
  });
  addEventListener("hashchange", follow);
  addEventListener("popstate", follow);
  // After the browser's own scrolling to the place, which knows of no row above it.
  addEventListener("load", follow);

  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    for (const figure of table.querySelectorAll(".open figure")) week(figure);
  });

  // The days of the week: [first hour, name], and what follows the last of them.
  const days = table.dataset.days.split(",").map((day) => {
    const at = day.indexOf(" ");
    return [Number(day.slice(0, at)), day.slice(at + 1)];
  });
  const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";

  const read = (figure) => {
    const [used, held, slept] = figure.dataset.week.split("/");
    // Runs of "one~hours~", or one hour after the other.
    const hours = (text, one) =>
      [...text.matchAll(new RegExp(`(${one})(?:~(\\d+)~)?`, "g"))].flatMap(([, shown, number]) =>
        Array(Number(number ?? 1)).fill(shown));
    const use = hours(used, ".").map((c) => (c === "." ? null : DIGITS.indexOf(c) / 63));
    const replicas = [];
    for (const one of hours(held, "\\d\\.\\d\\d|[\\d?*]|\\([^)]+\\)"))
      replicas.push(one === "*" ? replicas.at(-24)
        : one === "?" ? null : Number(one.replace(/[()]/g, "")));
    const asleep = (slept ?? "").split(",").filter(Boolean)
      .map((span) => span.split("~").map(Number));
    return { use, replicas: replicas.slice(0, use.length), asleep };
  };

  const mean = (values) => {
    const known = values.filter((value) => value !== null && value !== undefined);
    return known.length ? known.reduce((a, b) => a + b, 0) / known.length : null;
  };
  const percent = (part) => {
    if (part === null) return "?";
    if (part > 0 && part < 0.005) return "<1%";
    if (part >= 0.995 && part < 1) return ">99%";
    return `${Math.round(part * 100)}%`;
  };
  const fixed = (number) => number.toFixed(1);
  const short = (number) => (number === null ? "?" : String(Math.round(number * 10) / 10));

  const byDay = (told) => days.map(([begin, name], n) => {
    const end = days[n + 1]?.[0] ?? told.use.length;
    const part = (values) => values.slice(Math.floor(begin), Math.floor(end));
    const slept = told.asleep.reduce(
      (sum, [from, to]) => sum + Math.max(0, Math.min(to, end) - Math.max(from, begin)), 0);
    return [name, percent(mean(part(told.use))), short(mean(part(told.replicas))), short(slept)];
  });

  function week(figure) {
    const told = read(figure);
    const rows = byDay(told);
    figure.className = "week";
    figure.replaceChildren(chart(figure, told, rows), dayTable(rows));
  }

  const make = (name, attributes = {}, ...inside) => {
    const isHtml = /^(table|caption|thead|tbody|tr|th|td|div)$/.test(name);
    const made = isHtml ? document.createElement(name)
      : document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...inside);
    return made;
  };

  function dayTable(rows) {
    const heads = ["Day", "Mean use", "Replicas", "Hours asleep"];
    const row = (cells, head) => make("tr", {}, ...cells.map((cell, n) =>
      head ? make("th", { scope: "col" }, cell)
        : n ? make("td", {}, cell) : make("th", { scope: "row" }, cell)));
    return make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "By day" },
      make("table", {}, make("caption", {}, "By day"), make("thead", {}, row(heads, true)),
        make("tbody", {}, ...rows.map((cells) => row(cells, false)))));
  }

  // What was not measured is not zero: lines from top right to bottom left, 8 pixels apart.
  const hatched = (from, to, top, high) => {
    let lines = `M${from} ${top}V${top + high}M${to} ${top}V${top + high}`;
    for (let at = from + 4; at < to + high; at += 8) {
      const [begin, end] = [Math.min(at, to), Math.max(at - high, from)];
      const [start, stop] = [begin, end].map((one) => `${fixed(one)} ${fixed(top + at - one)}`);
      lines += `M${start}L${stop}`;
    }
    return lines;
  };

  function chart(figure, told, rows) {
    const id = figure.parentElement.id;
    const hours = told.use.length;
    const wide = Math.max(240, Math.min(900, figure.clientWidth || 640));
    const [left, right, top, high, low, tall] = [38, 8, 22, 120, 174, 44];
    const bottom = low + tall;
    const x = (hour) => +(left + (hour / hours) * (wide - left - right)).toFixed(2);
    const parts = [];
    const write = (at, y, words, more = {}) =>
      parts.push(make("text", { x: at, y, class: "week-text", ...more }, words));

    for (const [from, to] of told.asleep)
      parts.push(make("rect", { class: "week-asleep", x: x(from), y: top,
        width: x(to) - x(from), height: bottom - top }));
    for (const [part, name] of [[0, "0%"], [0.5, "50%"], [1, "100%"]]) {
      const y = top + high * (1 - part);
      parts.push(make("line", { class: "week-line", x1: left, x2: wide - right, y1: y, y2: y }));
      write(left - 6, y + 4, name, { "text-anchor": "end" });
    }
    let area = "";
    let gaps = "";
    // Where it held nothing there was nothing to measure.
    const missing = told.use.map((part, hour) => part === null && told.replicas[hour] !== 0);
    told.use.forEach((part, hour) => {
      const [from, to] = [x(hour), x(hour + 1)];
      const ground = top + high;
      const y = fixed(ground - high * part);
      if (part !== null) area += `M${from} ${ground}V${y}H${to}V${ground}Z`;
      else if (missing[hour] && !missing[hour - 1]) {
        const next = missing.findIndex((one, n) => n > hour && !one);
        gaps += hatched(from, x(next < 0 ? hours : next), top, high);
      }
    });
    parts.push(make("path", { class: "week-use", d: area }));
    parts.push(make("path", { class: "week-gap", d: gaps }));

    const most = Math.max(1, ...told.replicas.map((one) => one ?? 0));
    let steps = "";
    let before = null;
    told.replicas.forEach((one, hour) => {
      if (one === null) { before = null; return; }
      const y = fixed(bottom - (one / most) * tall);
      steps += `${before === null ? "M" : "L"}${x(hour)} ${y}H${x(hour + 1)}`;
      before = one;
    });
    for (const [part, name] of [[0, "0"], [1, short(most)]]) {
      const y = bottom - part * tall;
      parts.push(make("line", { class: "week-line", x1: left, x2: wide - right, y1: y, y2: y }));
      write(left - 6, y + 4, name, { "text-anchor": "end" });
    }
    parts.push(make("path", { class: "week-replicas", d: steps }));
    days.forEach(([begin, name], n) => {
      const end = days[n + 1]?.[0] ?? hours;
      const at = x(begin);
      parts.push(make("line", { class: "week-line", x1: at, x2: at, y1: top, y2: bottom }));
      const room = x(end) - x(begin);
      const fit = room > 48 ? name : name.slice(0, room > 26 ? 3 : 2);
      if (room > 18) write((x(begin) + x(end)) / 2, bottom + 18, fit, { "text-anchor": "middle" });
    });
    write(left, 14, "GPU use by hour", { class: "week-head" });
    write(left, low - 8, "Replicas", { class: "week-head" });
    const keys = [];
    if (told.asleep.length) keys.push(["asleep", "week-asleep"]);
    if (gaps) keys.push(["not measured", "week-gap"]);
    let at = wide - right;
    for (const [name, kind] of keys) {
      const length = name.length * 7;
      write(at, 14, name, { "text-anchor": "end" });
      at -= length + 18;
      parts.push(kind === "week-gap"
        ? make("path", { class: kind, d: `M${at} 15l14-11m-14 4l6-4m2 11l6-5` })
        : make("rect", { class: kind, x: at, y: 4, width: 14, height: 11 }));
      at -= 14;
    }
    const says = rows.map(([day, use, replicas, slept]) =>
      `${day}: ${use} used, ${replicas} replicas${slept === "0" ? "" : `, ${slept} h asleep`}`);
    return make("svg", { viewBox: `0 0 ${wide} ${bottom + 26}`, width: wide, height: bottom + 26,
      role: "img", "aria-labelledby": `${id}-t ${id}-d` },
      make("title", { id: `${id}-t` }, "The week: GPU use by hour, and replicas"),
      make("desc", { id: `${id}-d` }, `${says.join(". ")}.`), ...parts);
  }

  follow();
});
