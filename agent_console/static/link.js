// Says when the live connection is broken, and mends it. A screen that only looks alive is the worst of all.
(function () {
  "use strict";
  var SILENCE_MS = 10000; // the server sends a beat every 4 s
  var GRACE_MS = 700;
  var RETRY_MS = 2000;
  var last = Date.now(), broken = 0, tried = 0;

  function resync() {
    tried = Date.now();
    htmx.ajax("GET", location.pathname, {target: "#desk", select: "#desk", swap: "outerHTML"});
  }

  function look() {
    var now = Date.now();
    var stale = (broken && now - broken > GRACE_MS) || now - last > SILENCE_MS;
    var banner = document.getElementById("stale");
    if (stale && banner.hidden) {
      var since = new Date(last).toTimeString().slice(0, 8);
      banner.querySelector("[data-since-when]").textContent = "（自 " + since + " 起）";
    }
    banner.hidden = !stale;
    document.body.classList.toggle("is-stale", stale);
    if (stale && now - tried > RETRY_MS) resync();
  }

  // Only the beat counts: a server that cannot follow the journal still answers, but sends none.
  document.addEventListener("htmx:sseMessage", function (message) {
    if (message.target.id !== "beat") return;
    last = Date.now();
    broken = 0;
  });
  document.addEventListener("htmx:sseOpen", function (open) {
    open.detail.source.addEventListener("logged-out", function () { location.assign("/login"); });
  });
  document.addEventListener("htmx:sseError", function () { if (!broken) broken = Date.now(); });
  window.addEventListener("offline", function () { if (!broken) broken = Date.now(); });
  setInterval(look, 250);
})();
