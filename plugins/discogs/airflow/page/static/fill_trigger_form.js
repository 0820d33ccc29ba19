// Runs in Airflow's own document, for a link to the trigger form. Airflow 3.3 has no address for
// that form, so the script presses its button and fills in the month. It submits nothing; if it
// does not find the form in another version of Airflow, the user stays on the DAG's page.
(() => {
  const { month, options } = document.currentScript.dataset;
  document.currentScript.remove();
  const deadline = Date.now() + 15000;
  const set = (input, value) => {
    const prototype = Object.getPrototypeOf(input);
    Object.getOwnPropertyDescriptor(prototype, "value").set.call(input, value);
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.dispatchEvent(new Event("change", { bubbles: true }));
    input.dispatchEvent(new Event("focusout", { bubbles: true }));
  };
  const field = (name) => document.getElementById(`element_${name}`) ?? document.getElementsByName(`element_${name}`)[0];
  let pressed = false;
  const step = () => {
    const button = document.querySelector('[data-testid="trigger-dag-button"]');
    if (field("year_month")) {
      if (month) set(field("year_month"), month);
      for (const [name, on] of Object.entries(JSON.parse(options))) {
        if (on && field(name)?.checked === false) field(name).click();
      }
      return;
    }
    if (button && !pressed) {
      pressed = true;
      button.click();
    }
    if (Date.now() < deadline) setTimeout(step, 150);
  };
  step();
})();
