// The browser's side of `lmnb.Chat()`. Python says what shows; this draws it and tells what was done.

const element = (tag, properties = {}, ...children) => {
  const { dataset, aria, ...rest } = properties;
  const node = Object.assign(document.createElement(tag), rest);
  Object.assign(node.dataset, dataset);
  for (const [name, value] of Object.entries(aria ?? {})) node.setAttribute(`aria-${name}`, value);
  node.append(...children);
  return node;
};

const button = (text, label, action) =>
  element("button", { type: "button", textContent: text, title: label, onclick: action, aria: { label } });

const copy = async (text, from) => {
  await navigator.clipboard.writeText(text);
  const before = from.textContent;
  from.textContent = "Copied";
  setTimeout(() => (from.textContent = before), 1500);
};

const NUMBERS = {
  temperature: { label: "Temperature", min: 0, max: 2, step: 0.1 },
  top_p: { label: "Top p", min: 0, max: 1, step: 0.05 },
  top_k: { label: "Top k", min: 0, step: 1 },
  min_p: { label: "Min p", min: 0, max: 1, step: 0.01 },
  max_tokens: { label: "Longest answer, tokens", min: 1, step: 1 },
  seed: { label: "Seed", step: 1 },
};

/** One message with its buttons. */
class TurnView {
  constructor(turn, tell) {
    this.tell = tell;
    this.body = element("div", { className: "lmnb-body" });
    this.node = element("article", { className: `lmnb-turn lmnb-${turn.role}` });
    this.node.addEventListener("click", (event) => {
      const from = event.target.closest(".lmnb-copy");
      if (from) copy(from.closest(".lmnb-code").querySelector("code").innerText, from);
    });
    this.update(turn);
  }

  update(turn) {
    this.turn = turn;
    const streaming = turn.state === "streaming";
    this.node.setAttribute("aria-label", turn.name);
    this.node.setAttribute("aria-busy", String(streaming));
    this.body.innerHTML = turn.html; // made by Python out of text: no tag in it is the model's
    if (turn.role === "user") this.body.textContent = turn.text;
    this.node.replaceChildren(
      element("header", { textContent: turn.name }),
      ...turn.images.map((src) => element("img", { src, alt: "a picture that was sent" })),
      ...this.thought(turn),
      this.body,
      ...(streaming && !turn.html ? [element("span", { className: "lmnb-wait", textContent: "…" })] : []),
      ...(turn.error ? [element("p", { className: "lmnb-error", textContent: turn.error })] : []),
      ...(streaming ? [] : [this.footer(turn)]),
    );
  }

  thought(turn) {
    if (!turn.thought) return [];
    const text = element("div", { innerHTML: turn.thought });
    const open = this.node.querySelector("details")?.open ?? false;
    return [element("details", { open }, element("summary", { textContent: "Reasoning" }), text)];
  }

  footer(turn) {
    const facts = turn.state === "done" ? turn.facts : [turn.facts, turn.state].filter(Boolean).join(" · ");
    const bar = element("footer", {}, element("small", { textContent: facts }));
    const copied = button("Copy", "Copy this message", () => copy(turn.text, copied));
    if (turn.of > 1) {
      const step = (by) => () => this.tell({ kind: "branch", id: turn.id, step: by });
      const before = button("‹", "The version before", step(-1));
      const after = button("›", "The version after", step(1));
      before.disabled = turn.at === 1;
      after.disabled = turn.at === turn.of;
      bar.append(before, element("small", { textContent: `${turn.at} of ${turn.of}` }), after);
    }
    bar.append(copied);
    if (turn.role === "user") bar.append(button("Edit", "Edit and send again", () => this.edit()));
    else bar.append(button("Again", "Another answer", () => this.tell({ kind: "again", id: turn.id })));
    return bar;
  }

  edit() {
    const box = element("textarea", { value: this.turn.text, rows: 3, aria: { label: "Edit the message" } });
    const back = () => this.update(this.turn);
    const send = () => this.tell({ kind: "edit", id: this.turn.id, text: box.value });
    box.onkeydown = (event) => {
      event.stopPropagation();
      if (event.key === "Escape") back();
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        send();
      }
    };
    const bar = element("footer", {}, button("Send", "Send the changed message", send), button("Leave it", "Leave it as it was", back));
    this.node.replaceChildren(box, bar);
    box.focus();
  }
}

/** The conversation: keeps the nodes of turns that did not change, and the reader's place. */
class Log {
  constructor(tell) {
    this.tell = tell;
    this.views = new Map();
    this.node = element("div", { className: "lmnb-log", tabIndex: 0, role: "log", aria: { label: "Conversation", live: "polite" } });
    this.empty = element("p", { className: "lmnb-empty", textContent: "Nothing was said yet." });
  }

  show(turns) {
    const kept = new Map();
    for (const turn of turns) {
      const view = this.views.get(turn.id);
      if (view && JSON.stringify(view.turn) !== JSON.stringify(turn)) view.update(turn);
      kept.set(turn.id, view ?? new TurnView(turn, this.tell));
    }
    this.views = kept;
    this.stay(() => this.node.replaceChildren(...(turns.length ? [...kept.values()].map((v) => v.node) : [this.empty])));
  }

  grow(turn) {
    this.stay(() => this.views.get(turn.id)?.update(turn));
  }

  /** Who reads the end goes on reading the end; who has scrolled up stays where they are. */
  stay(change) {
    const { node } = this;
    const atEnd = node.scrollHeight - node.scrollTop - node.clientHeight < 40;
    change();
    if (atEnd) node.scrollTop = node.scrollHeight;
  }
}

/** Where one writes. */
const composer = (model, tell) => {
  let images = [];
  const box = element("textarea", { rows: 2, placeholder: "Write a message. Enter sends it, Shift+Enter begins a line.", aria: { label: "Message" } });
  const shown = element("div", { className: "lmnb-images" });
  const file = element("input", { type: "file", accept: "image/*", multiple: true, hidden: true });
  const attach = button("Picture", "Add a picture", () => file.click());
  const send = button("Send", "Send the message", () => ask());
  const stop = button("Stop", "Stop the answer (Escape)", () => tell({ kind: "stop" }));
  const show = () => {
    shown.replaceChildren(
      ...images.map((src, at) => {
        const drop = button("×", "Leave this picture out", () => (images.splice(at, 1), show()));
        return element("span", {}, element("img", { src, alt: "a picture to send" }), drop);
      }),
    );
  };
  const ask = () => {
    if (model.get("busy") || !(box.value.trim() || images.length)) return;
    tell({ kind: "ask", text: box.value, images });
    box.value = "";
    images = [];
    show();
  };
  const add = (files) => {
    for (const one of files) {
      if (!one.type.startsWith("image/")) continue;
      const reader = new FileReader();
      reader.onload = () => (images.push(reader.result), show());
      reader.readAsDataURL(one);
    }
  };
  file.onchange = () => (add(file.files), (file.value = ""));
  box.onpaste = (event) => add(event.clipboardData.files);
  box.onkeydown = (event) => {
    event.stopPropagation(); // the notebook has keys of its own
    if (event.key === "Escape" && model.get("busy")) tell({ kind: "stop" });
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      ask();
    }
  };
  const busy = () => {
    send.hidden = model.get("busy");
    stop.hidden = !model.get("busy");
  };
  busy();
  const node = element("div", { className: "lmnb-composer" }, shown, box, element("div", { className: "lmnb-buttons" }, send, stop, attach, file));
  return { node, busy };
};

/** Model, system message, sampling. */
const settings = (model) => {
  const save = (name, value) => {
    model.set(name, value);
    model.save_changes();
  };
  const select = element("select", { aria: { label: "Model" }, onchange: () => save("model", select.value) });
  const system = element("textarea", { rows: 2, value: model.get("system"), placeholder: "What the model is told before the conversation", aria: { label: "System message" } });
  system.onkeydown = (event) => event.stopPropagation();
  system.onchange = () => save("system", system.value);
  const fields = Object.entries(NUMBERS).map(([name, { label, ...limits }]) => {
    const input = element("input", { type: "number", placeholder: "as the model does", value: model.get("parameters")[name] ?? "", ...limits });
    input.onkeydown = (event) => event.stopPropagation();
    input.onchange = () => {
      if (!input.reportValidity()) return;
      const { [name]: _, ...others } = model.get("parameters");
      save("parameters", input.value === "" ? others : { ...others, [name]: Number(input.value) });
    };
    return element("label", {}, label, input);
  });
  const effort = element("select", { onchange: () => {
    const { reasoning_effort: _, ...others } = model.get("parameters");
    save("parameters", effort.value ? { ...others, reasoning_effort: effort.value } : others);
  } });
  for (const value of ["", "none", "low", "medium", "high"]) effort.append(element("option", { value, textContent: value || "as the model does" }));
  effort.value = model.get("parameters").reasoning_effort ?? "";
  const more = element("details", {}, element("summary", { textContent: "System message and sampling" }), element("div", { className: "lmnb-settings" }, element("label", { className: "lmnb-wide" }, "System message", system), ...fields, element("label", {}, "Reasoning", effort)));
  const models = () => {
    const known = model.get("models");
    const name = model.get("model");
    const all = known.some((one) => one.key === name) || !name ? known : [{ key: name, loaded: false }, ...known];
    select.replaceChildren(...all.map((one) => element("option", { value: one.key, textContent: one.loaded ? `${one.key} · loaded` : one.key })));
    select.value = name;
  };
  models();
  return { select, more, models };
};

const meter = (model) => {
  const bar = element("meter", { min: 0, max: 1, high: 0.8, optimum: 0, aria: { label: "Context used" } });
  const text = element("small");
  const node = element("span", { className: "lmnb-meter" }, bar, text);
  const update = () => {
    const { used = 0, total = 0, warning = "" } = model.get("meter");
    node.hidden = !total;
    if (!total) return;
    bar.value = used / total;
    text.textContent = `${used.toLocaleString("en")} of ${total.toLocaleString("en")} tokens`;
    node.title = warning;
    text.classList.toggle("lmnb-error", Boolean(warning));
  };
  update();
  return { node, update };
};

export default {
  render({ model, el }) {
    const tell = (message) => model.send(message);
    const log = new Log(tell);
    const write = composer(model, tell);
    const set = settings(model);
    const context = meter(model);
    const note = element("div", { className: "lmnb-note", role: "status" });
    const alert = element("div", { className: "lmnb-error", role: "alert" });
    const fresh = button("New", "A new conversation", () => tell({ kind: "clear" }));
    const cells = button("To cells", "Put the conversation into cells of the notebook", () => tell({ kind: "cells" }));
    const top = element("div", { className: "lmnb-top" }, set.select, context.node, fresh, cells);
    const root = element("section", { className: "lmnb-chat", dataset: { lmSuppressShortcuts: "true" }, aria: { label: "Chat with a local model" } }, top, set.more, log.node, note, alert, write.node);
    el.append(root);

    const busy = () => {
      write.busy();
      root.classList.toggle("lmnb-busy", model.get("busy"));
      fresh.disabled = model.get("busy");
    };
    const says = () => {
      note.textContent = model.get("note");
      alert.textContent = model.get("error");
    };
    const heard = (message) => {
      if (message.kind === "grow") log.grow(message.turn);
      if (message.kind === "cells") insert(message.cells);
    };
    /** The JupyterLab extension takes the event, if it is there; else the sources are copied. */
    const insert = async (made) => {
      const event = new CustomEvent("lmnb:insert-cells", { bubbles: true, cancelable: true, detail: { cells: made } });
      if (el.dispatchEvent(event)) await copy(made.map((cell) => cell.source).join("\n\n"), cells);
    };
    const watched = {
      "change:turns": () => log.show(model.get("turns")),
      "change:busy": busy,
      "change:note": says,
      "change:error": says,
      "change:models": set.models,
      "change:model": set.models,
      "change:meter": context.update,
      "msg:custom": heard,
    };
    for (const [event, action] of Object.entries(watched)) model.on(event, action);
    log.show(model.get("turns"));
    busy();
    says();
    tell({ kind: "look" });
    return () => {
      for (const [event, action] of Object.entries(watched)) model.off(event, action);
    };
  },
};
