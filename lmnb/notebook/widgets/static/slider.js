// A native range with its label, and the number beside it to be typed.
export default {
  render({ model, el }) {
    const label = document.createElement("label");
    const name = document.createElement("span");
    const range = Object.assign(document.createElement("input"), { type: "range" });
    const number = Object.assign(document.createElement("input"), { type: "number" });
    const inputs = [range, number];
    const show = () => {
      name.textContent = model.get("description");
      number.setAttribute("aria-label", `${model.get("description")}, as a number`);
      for (const input of inputs) {
        for (const limit of ["min", "max", "step"]) input[limit] = model.get(limit);
        input.disabled = model.get("disabled");
        input.value = model.get("value");
      }
      number.step = 1;
    };
    const save = (value) => {
      model.set("value", Math.min(Math.max(Math.round(Number(value)), model.get("min")), model.get("max")));
      model.save_changes();
      show();
    };
    range.oninput = () => save(range.value);
    number.onchange = () => save(number.value);
    const watched = ["value", "min", "max", "step", "description", "disabled"];
    for (const trait of watched) model.on(`change:${trait}`, show);
    show();
    el.classList.add("lmnb-slider");
    el.dataset.lmSuppressShortcuts = "true"; // arrows, Home and End are not the notebook's here
    label.append(name, range);
    el.append(label, number);
    return () => watched.forEach((trait) => model.off(`change:${trait}`, show));
  },
};
