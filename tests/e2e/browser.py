"""A report's page in headless Chromium: opened, and looked at for what no page may have."""

import json
import shutil
import time

import satdl

from selenium import webdriver
from selenium.webdriver.chrome.service import Service


class Case(satdl.Case):
    @classmethod
    def setUpClass(cls):
        options = webdriver.ChromeOptions()
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        cls.browser = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)

    @classmethod
    def tearDownClass(cls):
        cls.browser.quit()

    def open(self, page, width=1280, dark=False):
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                     {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500})
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.browser.get_log("browser"), self.browser.get_log("performance")
        self.browser.get(page.as_uri())
        self.wait_for_plots()

    def js(self, script, *arguments):
        return self.browser.execute_script(script, *arguments)

    def wait_for_plots(self):
        end = time.monotonic() + 120
        while self.js("return document.body.dataset.ready") != "yes":
            self.assertLess(time.monotonic(), end, self.browser.get_log("browser"))
            time.sleep(0.05)

    def check(self):
        """Nothing said on the console, nothing loaded, every visible plot drawn, nothing wider than the window."""
        self.assertEqual(self.browser.get_log("browser"), [])
        for entry in self.browser.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.assertRegex(message["params"]["request"]["url"], "^(file|data):")
        empty = self.js("""return [...document.querySelectorAll('.plot')].filter(plot => plot.getClientRects().length > 0 &&
            !(plot.querySelector('svg .mark-symbol path, svg .mark-line path, svg .mark-rect path, svg .mark-area path')))
            .map(plot => plot.getAttribute('aria-label'))""")
        self.assertEqual(empty, [])
        self.assertLessEqual(self.js("return document.documentElement.scrollWidth"),
                             self.js("return document.documentElement.clientWidth"))
