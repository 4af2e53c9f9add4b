// The field at its scales, and the whole slide: one place, seen in all of them.
const VENDOR = new URL("./vendor/openseadragon-5.0.1.min.js", import.meta.url).href;

export function linkTiles(desk) {
  const tiles = [...desk.querySelectorAll(".tile")].map((figure) => ({
    figure,
    scale: figure.dataset.scale,
    frame: figure.querySelector(".frame"),
    cross: figure.querySelector(".cross"),
    x: +figure.dataset.x, y: +figure.dataset.y, w: +figure.dataset.w, h: +figure.dataset.h,
  }));
  const whole = desk.dataset.slide ? new WholeSlide(desk, tiles) : null;
  const at = (tile, event) => {
    const box = tile.frame.getBoundingClientRect();
    return [tile.x + (event.clientX - box.left) / box.width * tile.w, tile.y + (event.clientY - box.top) / box.height * tile.h];
  };
  const point = (x, y) => {
    for (const tile of tiles) {
      const inside = x !== null && x >= tile.x && y >= tile.y && x <= tile.x + tile.w && y <= tile.y + tile.h;
      tile.cross.setAttribute("visibility", inside ? "visible" : "hidden");
      if (inside) tile.cross.setAttribute("transform", `translate(${x - tile.x} ${y - tile.y})`);
    }
  };
  for (const tile of tiles) {
    tile.frame.addEventListener("pointermove", (event) => point(...at(tile, event)));
    tile.frame.addEventListener("pointerleave", () => point(null, null));
    tile.frame.addEventListener("click", (event) => whole?.goTo(...at(tile, event), tile.w / 2));
  }
  if (whole) whole.onPoint = point;

  const sliders = ["brightness", "contrast"].map((id) => document.getElementById(id));
  const adjust = () => {
    const [brightness, contrast] = sliders.map((slider) => slider.value);
    const filter = brightness === "100" && contrast === "100" ? "" : `brightness(${brightness}%) contrast(${contrast}%)`;
    for (const image of desk.querySelectorAll(".frame img, .viewer .openseadragon-canvas > div:first-child")) image.style.filter = filter;
    sessionStorage.setItem("light", JSON.stringify([brightness, contrast]));
  };
  const kept = JSON.parse(sessionStorage.getItem("light") ?? "null");
  sliders.forEach((slider, n) => { if (kept) slider.value = kept[n]; slider.addEventListener("input", adjust); });
  adjust();
  if (whole) whole.onReady = adjust;

  return {
    fit: () => whole?.fitNext(),
    full: () => (document.fullscreenElement ? document.exitFullscreen() : document.getElementById("viewer").requestFullscreen?.()),
    zoom: (by) => whole?.zoom(by),
    reset: () => { sliders.forEach((slider) => { slider.value = 100; }); adjust(); },
  };
}

class WholeSlide {
  constructor(desk, tiles) {
    this.place = document.getElementById("viewer");
    this.tiles = tiles;
    this.slide = desk.dataset.slide;
    this.size = [+desk.dataset.width, +desk.dataset.height];
    this.mpp = +desk.dataset.mpp;
    this.fitted = -1;
    // The page is there first; the slide follows.
    const load = () => {
      const script = document.createElement("script");
      script.src = VENDOR;
      script.onload = () => this.open();
      document.head.append(script);
    };
    if (document.readyState === "complete") setTimeout(load, 0);
    else window.addEventListener("load", () => setTimeout(load, 0));
  }

  open() {
    this.place.querySelector(".waiting")?.remove();
    const OSD = window.OpenSeadragon;
    const slide = this.slide;
    this.viewer = OSD({
      element: this.place,
      drawer: "canvas",
      showNavigationControl: false,
      showNavigator: true,
      navigatorPosition: "TOP_RIGHT",
      navigatorSizeRatio: 0.16,
      navigatorAutoFade: false,
      animationTime: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 0.5,
      maxZoomPixelRatio: 4,
      visibilityRatio: 0.3,
      keyboardNavEnabled: true,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
      tileSources: { width: this.size[0], height: this.size[1], tileSize: 256, tileOverlap: 0, minLevel: 6, getTileUrl: (level, x, y) => `/slides/${slide}/${level}/${x}/${y}` },
    });
    this.viewer.canvas.setAttribute("role", "group");
    this.viewer.canvas.setAttribute("aria-label", "Whole slide: drag to move, scroll to zoom");
    this.viewer.addOnceHandler("open", () => {
      for (const tile of this.tiles) {
        const box = document.createElement("div");
        box.className = `slide-box ${tile.scale}`;
        this.viewer.addOverlay({ element: box, location: this.rect(tile), checkResize: false });
      }
      this.fitNext(true);
      this.onReady?.();
    });
    for (const name of ["animation", "open", "resize", "animation-finish"]) this.viewer.addHandler(name, () => this.measure());
    this.viewer.container.addEventListener("pointermove", (event) => this.moved(event));
    this.viewer.container.addEventListener("pointerleave", () => this.onPoint?.(null, null));
  }

  rect(tile) {
    return this.viewer.viewport.imageToViewportRectangle(tile.x, tile.y, tile.w, tile.h);
  }

  fitNext(immediately = false) {
    if (!this.viewer?.isOpen()) return;
    this.fitted = (this.fitted + 1) % (this.tiles.length + 1);
    if (this.fitted === this.tiles.length) { this.viewer.viewport.goHome(immediately); return; }
    const box = this.rect(this.tiles[this.fitted]);
    const margin = box.width * 0.6;
    box.x -= margin; box.y -= margin; box.width += 2 * margin; box.height += 2 * margin;
    this.viewer.viewport.fitBounds(box, immediately);
  }

  goTo(x, y, width) {
    if (!this.viewer?.isOpen()) return;
    const OSD = window.OpenSeadragon;
    const box = this.viewer.viewport.imageToViewportRectangle(new OSD.Rect(x - width / 2, y - width / 2, width, width));
    this.viewer.viewport.fitBounds(box);
  }

  zoom(by) {
    this.viewer?.viewport?.zoomBy(by);
  }

  moved(event) {
    if (!this.viewer?.isOpen()) return;
    const box = this.viewer.container.getBoundingClientRect();
    const place = new window.OpenSeadragon.Point(event.clientX - box.left, event.clientY - box.top);
    const on = this.viewer.viewport.viewerElementToImageCoordinates(place);
    this.onPoint?.(on.x, on.y, true);
  }

  // A bar of 1, 2 or 5 times a power of ten micrometres, at most 160 pixels long.
  measure() {
    const ruler = this.place.querySelector(":scope > .ruler");
    if (!ruler || !this.viewer?.isOpen()) return;
    const perPixel = this.mpp / this.viewer.viewport.viewportToImageZoom(this.viewer.viewport.getZoom(true));
    const most = 160 * perPixel;
    const power = 10 ** Math.floor(Math.log10(most));
    const length = [5, 2, 1].map((step) => step * power).find((step) => step <= most);
    ruler.hidden = false;
    ruler.querySelector("i").style.width = `${length / perPixel}px`;
    const words = length >= 1000 ? `${length / 1000} mm` : `${+length.toPrecision(3)} µm`;
    ruler.querySelector("span").textContent = `${words} · ${+perPixel.toPrecision(2)} µm/px`;
  }
}
