#!/usr/bin/env python3
"""report.html in a real browser: picture_test.py SAMPLE_RESULT. Skipped where there is none."""

import html
import json
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent.parent / "tools")]
import rendering  # noqa: E402
import support  # noqa: E402

BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
PHONE, DESKTOP = 500, 1200  # A headless Chromium is never narrower than 500.

# What a browser made of the page: what sticks out, what is too small, what lies on what.
EXAMINE = """
<script>
addEventListener('load', () => {
  const found = {overflow: [], outside: [], overlap: [], small: [], charts: 0};
  const wide = document.documentElement;
  if (wide.scrollWidth > wide.clientWidth) found.overflow.push(wide.scrollWidth);
  for (const svg of document.querySelectorAll('svg')) {
    if (!svg.getClientRects().length) continue;  // Of the other kind of screen.
    found.charts++;
    const box = svg.getBoundingClientRect();
    const name = svg.getAttribute('aria-label');
    const texts = [...svg.querySelectorAll('text')].map(t => [t, t.getBoundingClientRect()]);
    for (const [text, r] of texts) {
      if (r.left < box.left - 2 || r.right > box.right + 2 || r.bottom > box.bottom + 2)
        found.outside.push(name + ': ' + text.textContent);
      if (r.height < 10) found.small.push(name + ': ' + text.textContent + ' ' + r.height);
    }
    for (let i = 0; i < texts.length; i++) for (let j = 0; j < i; j++) {
      const a = texts[i][1], b = texts[j][1];
      const x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (x > 2 && y > 4)
        found.overlap.push(name + ': ' + texts[j][0].textContent + ' | ' + texts[i][0].textContent);
    }
  }
  found.background = getComputedStyle(document.body).backgroundColor;
  const pre = document.createElement('pre');
  pre.id = 'found';
  pre.textContent = JSON.stringify(found);
  document.body.append(pre);
});
</script>
"""


def browse(page, *arguments):
    with tempfile.TemporaryDirectory() as profile:
        return subprocess.run(
            [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--disable-dev-shm-usage", "--no-first-run", "--user-data-dir=" + profile,
             *arguments, pathlib.Path(page).as_uri()],
            capture_output=True, text=True, timeout=100, check=True).stdout


def pixels(path):
    """The set of colours of a PNG of 8 bits a channel, as Chromium writes it."""
    data = pathlib.Path(path).read_bytes()
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, _, colour = struct.unpack(">IIBB", body[:10])
        if kind == b"IDAT":
            packed += body
        at += length + 12
    size = {2: 3, 6: 4}[colour]
    raw, stride, above, colours = zlib.decompress(packed), width * size, None, {}
    above = bytearray(stride)
    for row in range(height):
        start = row * (stride + 1)
        line = unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + stride]), above, size)
        for x in range(0, stride, size):
            colour = bytes(line[x : x + 3])
            colours[colour] = colours.get(colour, 0) + 1
        above = line
    return colours


def unfiltered(kind, line, above, size):
    for x in range(len(line)):
        left = line[x - size] if x >= size else 0
        corner = above[x - size] if x >= size else 0
        if kind == 1:
            line[x] = (line[x] + left) & 255
        elif kind == 2:
            line[x] = (line[x] + above[x]) & 255
        elif kind == 3:
            line[x] = (line[x] + (left + above[x]) // 2) & 255
        elif kind == 4:
            estimate = left + above[x] - corner
            near = min((left, above[x], corner), key=lambda each: abs(estimate - each))
            line[x] = (line[x] + near) & 255
    return line


@unittest.skipUnless(BROWSER, "no Chromium here (apt-get install chromium)")
@unittest.skipUnless(rendering.CAN_RENDER, rendering.WHY)
class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp()
        cls.pages = {}
        for profile in ["default", "full", "speed"]:
            text = rendering.pages_of(rendering.sample(profile))["report.html"]
            cls.pages[profile] = pathlib.Path(cls.directory, f"{profile}.html")
            cls.pages[profile].write_text(text.replace("</body>", EXAMINE + "</body>"))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.directory)

    def examine(self, profile, width, *arguments):
        dom = browse(self.pages[profile], f"--window-size={width},2000", "--dump-dom", *arguments)
        return json.loads(html.unescape(re.search(r'<pre id="found">(.*?)</pre>', dom, re.S)[1]))

    def check(self, found):
        self.assertGreater(found["charts"], 5)
        for fault in ["overflow", "outside", "overlap", "small"]:
            self.assertEqual(found[fault], [], fault)

    def test_every_chart_is_readable_on_a_desktop(self):
        for profile in self.pages:
            with self.subTest(profile):
                self.check(self.examine(profile, DESKTOP))

    def test_every_chart_is_readable_on_a_phone(self):
        for profile in self.pages:
            with self.subTest(profile):
                self.check(self.examine(profile, PHONE))

    def test_it_is_dark_for_those_who_prefer_it(self):
        light = self.examine("default", DESKTOP, "--blink-settings=preferredColorScheme=1")
        dark = self.examine("default", DESKTOP, "--blink-settings=preferredColorScheme=0")

        self.assertGreater(self.brightness(light), 600)
        self.assertLess(self.brightness(dark), 150)

    @staticmethod
    def brightness(found):
        return sum(int(number) for number in re.findall(r"\d+", found["background"])[:3])

    def test_a_picture_of_it_shows_the_colours_of_both_backends(self):
        picture = pathlib.Path(self.directory, "picture.png")
        browse(self.pages["default"], f"--window-size={PHONE},3000", f"--screenshot={picture}",
               "--blink-settings=preferredColorScheme=1")
        colours = pixels(picture)

        self.assertGreater(len(colours), 50)
        for engine, colour in {"uring": "2a78d6", "epoll": "d9622b"}.items():
            self.assertGreater(colours.get(bytes.fromhex(colour), 0), 300, engine)


if __name__ == "__main__":
    support.main()
