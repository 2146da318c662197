"use strict";
// One clock for everything: seconds from the beginning of the axis. A track is a list of recordings on that clock.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const audio = document.getElementById("audio");
  const select = document.getElementById("track");
  const cursor = document.getElementById("cursor");
  const clock = document.getElementById("clock");
  const trouble = document.getElementById("trouble");
  const stops = [...document.querySelectorAll("tr[data-at]"), ...document.querySelectorAll(".mark")];
  let clip = null;   // what is loaded
  let now = 0;       // where we are

  const clips = () => data.clips.filter((one) => one.track === select.value).sort((a, b) => a.at - b.at);
  const words = (seconds) => {
    const all = Math.max(0, Math.floor(seconds));
    const [h, m, s] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
    return (h ? h + ":" + String(m).padStart(2, "0") : String(m)) + ":" + String(s).padStart(2, "0");
  };

  function show(at) {
    now = Math.min(Math.max(at, 0), data.seconds);
    cursor.style.left = (100 * now / data.seconds) + "%";
    clock.textContent = words(now);
    document.body.dataset.now = now.toFixed(2);
    let last = -1;
    stops.forEach((stop) => { const t = Number(stop.dataset.at); if (t <= now + 0.05 && t > last) last = t; });
    stops.forEach((stop) => stop.classList.toggle("now", Number(stop.dataset.at) === last));
  }

  // The recording that holds this moment; else the next one, else none.
  function load(at, play) {
    const all = clips();
    const found = all.find((one) => at >= one.at && at < one.at + one.seconds) || all.find((one) => one.at >= at);
    show(at);
    if (!found) { audio.pause(); return; }
    const place = Math.max(0, at - found.at);
    if (found !== clip) {
      clip = found;
      audio.src = found.file;
      audio.addEventListener("loadedmetadata", () => { audio.currentTime = place; }, { once: true });
      audio.load();
    } else {
      audio.currentTime = place;
    }
    if (place === 0) show(found.at);
    if (play) audio.play().catch(() => {});
  }

  function follow() {
    if (clip && !audio.paused) show(clip.at + audio.currentTime);
    requestAnimationFrame(follow);
  }

  audio.addEventListener("seeked", () => { if (clip) show(clip.at + audio.currentTime); });
  audio.addEventListener("ended", () => {
    const next = clips().find((one) => one.at > clip.at);
    if (next) load(next.at, true);
  });
  audio.addEventListener("error", () => { trouble.hidden = false; });
  audio.addEventListener("loadedmetadata", () => { trouble.hidden = true; });
  select.addEventListener("change", () => load(now, !audio.paused));
  document.querySelectorAll("button[data-at]").forEach((button) =>
    button.addEventListener("click", () => load(Number(button.dataset.at), true)));
  document.getElementById("timeline").addEventListener("click", (event) => {
    if (event.target.closest("button")) return;
    const box = document.getElementById("field").getBoundingClientRect();
    const part = (event.clientX - box.left) / box.width;
    if (part >= 0 && part <= 1) load(part * data.seconds, true);
  });
  document.querySelectorAll("[data-lane]").forEach((lane) => lane.querySelector(".name").addEventListener("click", () => {
    if ([...select.options].some((one) => one.value === lane.dataset.lane)) {
      select.value = lane.dataset.lane;
      load(now, !audio.paused);
    }
  }));

  if (data.clips.length) load(clips().length ? clips()[0].at : 0, false);
  requestAnimationFrame(follow);
})();
