// The film and its time line have one playhead: play and it moves, click on it and the film follows.
(() => {
  "use strict";
  const film = document.querySelector(".film").firstElementChild;
  const line = document.querySelector(".line");
  const head = document.querySelector(".head");
  const words = document.querySelector(".film p");
  const [left, right, foot, duration] = ["left", "right", "foot", "duration"].map(
    (name) => Number(line.dataset[name]));

  const draw = () => {
    const x = left + (right - left) * Math.min(1, film.currentTime / duration);
    head.style.left = `${(100 * x).toFixed(3)}%`;
    const roll = line.parentElement;  // on a narrow screen it moves along
    const away = x * line.clientWidth - roll.scrollLeft;
    if (away < 0 || away > roll.clientWidth) {
      roll.scrollLeft = x * line.clientWidth - roll.clientWidth / 4;
    }
  };
  const follow = () => {
    draw();
    if (!film.paused && !film.ended) requestAnimationFrame(follow);
  };
  const seek = (time) => {
    film.currentTime = Math.max(0, Math.min(time, duration - 0.001));
    draw();
  };
  const point = (event) => {
    const box = line.getBoundingClientRect();
    if ((event.clientY - box.top) / box.height > foot) return;
    seek((((event.clientX - box.left) / box.width - left) / (right - left)) * duration);
  };

  film.addEventListener("play", follow);
  for (const name of ["loadedmetadata", "seeked", "timeupdate", "pause"]) {
    film.addEventListener(name, draw);
  }
  film.addEventListener("error", () => {
    if (film.dataset.sound) {  // the pictures are of a kind that this browser lacks
      words.textContent = "This browser cannot show the film; its music plays alone.";
      film.src = film.dataset.sound;
      delete film.dataset.sound;
    } else {
      words.textContent = "What this page plays is not beside it, or this browser cannot play it.";
    }
  });
  line.addEventListener("pointerdown", point);
  line.addEventListener("pointermove", (event) => {
    if (event.buttons & 1) point(event);
  });
  for (const row of document.querySelectorAll("tr[data-time]")) {
    row.addEventListener("click", () => seek(Number(row.dataset.time) - 1));
  }
  document.addEventListener("keydown", (event) => {
    if (event.key !== " " || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target === film) return;  // the browser's own controls answer
    event.preventDefault();  // no scrolling
    if (film.paused) film.play().catch(() => {});
    else film.pause();
  });
  const start = /^#t=([\d.]+)$/.exec(location.hash);
  if (start) film.addEventListener("loadedmetadata", () => seek(Number(start[1])), { once: true });
  draw();
})();
