// A new unattended incident is heard, said to screen readers, and shown in the title.
(function () {
  "use strict";
  var REPEAT_MS = 8000;
  var audio = null, known = null, rang = 0;

  function unattended() {
    return Array.from(document.querySelectorAll('#incidents [data-attention="unattended"]'));
  }

  function tone(start, frequency, length) {
    var oscillator = audio.createOscillator(), gain = audio.createGain();
    oscillator.type = "triangle";
    oscillator.frequency.value = frequency;
    gain.gain.setValueAtTime(0.0001, start);
    gain.gain.exponentialRampToValueAtTime(0.35, start + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.0001, start + length);
    oscillator.connect(gain).connect(audio.destination);
    oscillator.start(start);
    oscillator.stop(start + length);
  }

  function ring() {
    rang = Date.now();
    document.body.dataset.rang = String(Number(document.body.dataset.rang || 0) + 1);
    if (!audio || audio.state !== "running") return;
    for (var i = 0; i < 3; i++) {
      tone(audio.currentTime + i * 0.5, 880, 0.22);
      tone(audio.currentTime + i * 0.5 + 0.23, 660, 0.22);
    }
  }

  function enable() {
    try {
      audio = audio || new AudioContext();
      if (audio.state !== "running") audio.resume().then(button);
    } catch (error) { audio = null; }
    button();
  }

  function button() {
    var element = document.getElementById("sound");
    if (element) element.hidden = Boolean(audio && audio.state === "running");
  }

  function open(id) {
    var card = document.getElementById(id);
    if (card) card.click();
  }

  function look() {
    var now = unattended();
    var fresh = now.filter(function (card) { return known && !known.has(card.dataset.incident); });
    if (fresh.length) {
      ring();
      document.getElementById("announce").textContent =
        "新的紧急事件：" + fresh.map(function (card) { return card.dataset.name; }).join("，");
      var panel = document.getElementById("panel");
      // The file comes to the screen by itself, but never in place of another one that is being read.
      if (panel && !panel.dataset.incident && document.body.dataset.role !== "auditor") setTimeout(function () { open(fresh[0].id); }, 0);
    }
    known = new Set(now.map(function (card) { return card.dataset.incident; }));
    document.title = (now.length ? "(" + now.length + ") 紧急 · " : "") + "银铃 12349 · 坐席台";
  }

  document.addEventListener("htmx:sseMessage", function (message) { if (message.target.id === "incidents") look(); });
  document.addEventListener("htmx:load", function () { look(); button(); });
  document.addEventListener("click", function (click) { if (click.target.closest("#sound")) enable(); });
  ["pointerdown", "keydown"].forEach(function (gesture) {
    document.addEventListener(gesture, function () { if (!audio || audio.state !== "running") enable(); }, true);
  });
  setInterval(function () { if (unattended().length && Date.now() - rang > REPEAT_MS) ring(); }, 1000);
  look();
  button();
})();
