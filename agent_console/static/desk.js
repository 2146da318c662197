// Small comforts of the main page: refusals as a sentence, the reader's place kept, focus on what was opened.
(function () {
  "use strict";
  var KEEP = ["#incidents", ".left", "#panel"];
  var places = {}, quiet = null;

  function notice(text) {
    var element = document.getElementById("notice");
    element.textContent = text;
    element.hidden = !text;
    clearTimeout(quiet);
    if (text) quiet = setTimeout(function () { notice(""); }, 8000);
  }

  function swapped(event) { return (event.detail.target || event.target).id; } // live fragments name no target

  function mark() {
    var opened = (document.getElementById("panel") || {dataset: {}}).dataset.incident;
    document.querySelectorAll("#incidents .card").forEach(function (card) {
      if (opened && card.dataset.incident === opened) card.setAttribute("aria-current", "true");
      else card.removeAttribute("aria-current");
    });
  }

  document.addEventListener("htmx:responseError", function (event) {
    if (event.detail.requestConfig.verb !== "get") notice(event.detail.xhr.responseText);
  });
  document.addEventListener("htmx:sendError", function (event) {
    if (event.detail.requestConfig.verb !== "get") notice("没有送达，请再试。 Not delivered; try again.");
  });
  document.addEventListener("htmx:beforeSwap", function (event) {
    if (swapped(event) !== "desk") return;
    KEEP.forEach(function (name) {
      var element = document.querySelector(name);
      places[name] = element ? element.scrollTop : 0;
    });
    places.incident = document.getElementById("panel").dataset.incident;
  });
  document.addEventListener("htmx:afterSwap", function (event) {
    mark();
    if (swapped(event) !== "desk") return;
    var same = document.getElementById("panel").dataset.incident === places.incident;
    KEEP.forEach(function (name) {
      var element = document.querySelector(name);
      if (element && (name !== "#panel" || same)) element.scrollTop = places[name];
    });
    var title = document.getElementById("incident-title");
    if (title && !same) title.focus({preventScroll: true});
  });
  document.addEventListener("htmx:sseMessage", mark);
  mark();
})();
