// Running clocks: <time class="ticks" data-since="…"> becomes 0:23. The server's clock counts, not this machine's.
(function () {
  "use strict";
  var ahead = 0; // server minus browser, milliseconds

  function words(seconds) {
    var s = Math.max(0, Math.floor(seconds));
    var two = function (n) { return (n < 10 ? "0" : "") + n; };
    if (s >= 3600) return Math.floor(s / 3600) + ":" + two(Math.floor(s / 60) % 60) + ":" + two(s % 60);
    return Math.floor(s / 60) + ":" + two(s % 60);
  }

  function tick() {
    var now = Date.now() + ahead;
    document.querySelectorAll("time.ticks").forEach(function (element) {
      var text = words((now - Date.parse(element.dataset.since)) / 1000);
      if (element.textContent !== text) element.textContent = text;
    });
  }

  document.addEventListener("htmx:sseMessage", function (message) {
    var clock = message.target.querySelector("[data-now]");
    if (clock) ahead = Date.parse(clock.dataset.now) - Date.now();
    tick();
  });
  document.addEventListener("htmx:load", tick);
  setInterval(tick, 250);
  tick();
})();
