"use strict";
const by = (id) => document.getElementById(id);
let steps = [], prompt = 0;

const visible = (token) => token.replaceAll(" ", "␣").replaceAll("\n", "⏎").replaceAll("\t", "⇥");
const percent = (logprob) => (logprob === null ? "" : (100 * Math.exp(logprob)).toPrecision(3));

function element(name, text, kind) {
  const made = document.createElement(name);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

/* From green (expected) to red (12 bits and more), as a veil that light and dark show through. */
function colour(logprob) {
  if (logprob === null) return "transparent";
  const share = Math.min(1, -logprob / Math.LN2 / 12);
  return `hsl(${Math.round(130 - 130 * share)} 75% 45% / ${(0.14 + 0.4 * share).toFixed(2)})`;
}

function show(index) {
  const step = steps[index];
  document.querySelectorAll("#text span.chosen").forEach((span) => span.classList.remove("chosen"));
  const chosen = by("text").children[index];
  if (chosen) chosen.classList.add("chosen");
  const box = by("candidates");
  box.replaceChildren();
  if (step.logprob === null) {
    box.append(element("p", `${visible(step.token)}: ${step.note || "no figure"}`, "note"));
    return;
  }
  const head = `${visible(step.token)} · id ${step.id} · ln p ${step.logprob.toFixed(3)} · rank ${step.rank} · entropy ${step.entropy.toFixed(3)} nat`;
  box.append(element("p", head));
  const table = element("table", "");
  const names = table.createTHead().insertRow();
  ["rank", "token", "p %", "ln p", ""].forEach((name) => names.append(element("th", name)));
  const body = table.createTBody();
  const rows = step.top_logprobs.slice();
  if (!rows.some((one) => one.id === step.id)) rows.push(step);
  for (const one of rows) {
    const row = body.insertRow();
    if (one.id === step.id) row.className = "own";
    row.insertCell().textContent = one.rank;
    row.insertCell().append(element("code", visible(one.token)));
    row.insertCell().textContent = percent(one.logprob);
    row.insertCell().textContent = one.logprob === null ? "−∞" : one.logprob.toFixed(3);
    const bar = element("span", "", "meter");
    bar.style.width = `${Math.round(160 * Math.exp(one.logprob ?? -99))}px`;
    row.insertCell().append(bar);
  }
  box.append(table, element("p", `everything else: ${(100 * step.residual).toPrecision(3)} %`, "note"));
}

function draw(choice) {
  steps = choice.logprobs.content;
  const text = by("text");
  text.replaceChildren();
  let sum = 0, scored = 0;
  steps.forEach((step, index) => {
    const span = element("span", step.token.replaceAll("\n", "⏎\n"), index >= prompt ? "next" : "");
    span.style.background = colour(step.logprob);
    span.tabIndex = 0;
    ["mouseenter", "focus", "click"].forEach((event) => span.addEventListener(event, () => show(index)));
    text.append(span);
    if (step.logprob !== null && index < prompt) {
      sum += step.logprob;
      scored += 1;
    }
  });
  by("sum").textContent = scored
    ? `Σ ${sum.toFixed(3)} nat over ${scored} tokens, perplexity ${Math.exp(-sum / scored).toFixed(2)}; dashed: what the model would write`
    : "no token of the text has context; dashed: what the model would write";
  show(Math.min(prompt, steps.length - 1));
}

async function ask(event) {
  event.preventDefault();
  by("look").disabled = true;
  by("state").textContent = "…";
  const headers = { "Content-Type": "application/json" };
  const key = by("key");
  if (key && key.value) headers.Authorization = `Bearer ${key.value}`;
  const body = { prompt: by("prompt").value, echo: true, logprobs: 10, temperature: 0, max_tokens: Number(by("tokens").value) };
  try {
    const response = await fetch("/v1/completions", { method: "POST", headers, body: JSON.stringify(body) });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error.message);
    prompt = answer.usage.prompt_tokens;
    draw(answer.choices[0]);
    by("state").textContent = "";
  } catch (error) {
    by("state").textContent = error.message;
  }
  by("look").disabled = false;
}

by("ask").addEventListener("submit", ask);
