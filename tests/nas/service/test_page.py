"""The page in a browser: Debian's Chromium, driven by playwright."""

import hashlib
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator

import onnxruntime
import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt-get install chromium"),
    pytest.mark.takes(60, "a browser, a server, and searches of seconds"),
]
SOON = 120_000
"""Milliseconds after which a test fails in which nothing happens; a busy machine is slow."""
OUTLOOK = {
    "sizes": [{"candidate": "smallest", "nnz": 155, "density": 0.38}],
    "plain": [{"plain network": "mlp: plain", "weights": 17400}],
    "references": [{"architecture": "mlp: plain, relu, depth 2, width 100·100", "method": "espn", "trainings": 2.0}],
    "methods": [{"method": "espn", "trainings": 2.0}],
    "space": [{"drawn from": "depth", "values": "1 to 4"}],
    "budget": [{"spent on": "by hand: what an expert would run first", "trainings": 4.0}],
    "seconds": 7e5,
    "how": "Timed",
    "remark": "",
}
"""The answer to a dry run, where a test is about something else: a real one trains for seconds."""
DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator["sync_api.Browser"]:
    """The browser. Chromium's sandbox does not work for root."""
    with sync_api.sync_playwright() as play:
        sync_api.expect.set_options(timeout=SOON)
        found = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


def _answered(route, *parts):
    """Let the service answer a dry run of a form with one of these parts; the answer to others is `OUTLOOK`."""
    if any(part in (route.request.post_data or "") for part in parts):
        route.continue_()
    else:
        route.fulfill(json=OUTLOOK)


@pytest.fixture
def open_page(browser, server):
    """`open_page(hash, **options)`: a page of the service. At the end no script has failed and nothing was said on the console."""
    said, contexts = [], []

    def opened(place="#/", address=server.address, **options):
        context = browser.new_context(**{"viewport": DESK, "accept_downloads": True} | options)
        context.set_default_timeout(SOON)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{address}/{place}")
        return page

    opened.said = said
    yield opened
    for context in contexts:
        context.close()
    assert said == []


@pytest.fixture(scope="module")
def done(browser, server, tiny):
    """A search that was started by the form and watched to its end; the page that shows it is left open."""
    context = browser.new_context(viewport=DESK)
    context.set_default_timeout(SOON)
    page = context.new_page()
    page.route("**/searches:validate", lambda route: _answered(route, '"subset":200'))
    page.goto(f"{server.address}/#/new")
    page.get_by_text("Families", exact=True).click()
    page.get_by_label("bound of limit 1").fill("300")
    page.get_by_text("Advanced").click()
    for name in ("trainings", "seed", "epochs", "screen", "round", "repeats", "subset"):
        page.get_by_label(name.capitalize(), exact=True).fill(str(tiny[name]))
    figure = page.locator(".estimate .figure")
    sync_api.expect(figure).to_have_text(re.compile("about (?!194 h)"))
    page.get_by_label("Trainings", exact=True).press("Enter")
    page.get_by_role("heading", name="The winner").wait_for()
    id_ = page.url.rpartition("/")[2]
    yield server.client.get(f"/v1/searches/{id_}").json(), page
    context.close()


def test_the_form_asks_for_what_it_shows(done, tiny):
    search, _ = done
    assert search["state"] == "done"
    assert search["metric"]["name"] == "accuracy"
    assert {name: search["request"][name] for name in tiny} == tiny
    assert set(search["request"]) == set(tiny), "options that were not touched are not sent"


def test_a_search_is_watched_to_its_end_and_its_winner_is_downloaded(server, done, tmp_path):
    search, page = done
    report = server.client.get(f"/v1/searches/{search['id']}/artifacts/report.json").json()
    assert page.locator(".verdict").inner_text() == report["verdict"]
    winner = page.locator(".winner-row").inner_text().split()
    assert winner[:2] == ["Winner", f"{100 * search['result']['test']:.2f}%"]
    assert f"{search['result']['nnz']:,}" in winner
    page.locator("svg.network").wait_for()
    layers = server.client.get(f"/v1/searches/{search['id']}/network").json()
    assert sum(one["nnz"] for one in layers["layers"]) == layers["nnz"] == search["result"]["nnz"]
    assert page.get_by_role("region", name="weights by layer").locator("tbody tr").count() == len(layers["layers"])
    trials = server.client.get(f"/v1/searches/{search['id']}/trials").json()["items"]
    assert page.get_by_role("region", name="trials").locator("tbody tr").count() == len(trials)
    usage = page.get_by_role("region", name="Ask this service with curl").inner_text()
    program = shlex.split(usage.partition("|")[0])
    asked = subprocess.run([sys.executable, *program[1:]], check=True, capture_output=True, text=True).stdout
    answer = server.client.post(f"/v2/models/{search['id']}/infer", json=json.loads(asked))
    assert answer.json()["outputs"][0]["shape"] == [1, 10]
    with page.expect_download() as waiting:
        page.get_by_role("link", name="best.onnx").click()
    waiting.value.save_as(tmp_path / "best.onnx")
    files = server.client.get(f"/v1/searches/{search['id']}/artifacts").json()["items"]
    content = (tmp_path / "best.onnx").read_bytes()
    assert hashlib.sha256(content).hexdigest() == {one["name"]: one["sha256"] for one in files}["best.onnx"]
    assert onnxruntime.InferenceSession(content).get_inputs()[0].shape[1:] == [1, 8, 8]


def test_a_trial_shows_its_candidate_its_learning_curve_and_its_log(server, done):
    search, page = done
    page.get_by_role("region", name="trials").get_by_role("button", name="0", exact=True).click()
    dialog = page.get_by_role("dialog")
    sync_api.expect(dialog.get_by_role("region", name="log of the trial")).to_contain_text('"number": 0')
    curve = server.client.get(f"/v1/searches/{search['id']}/trials/0").json()["curve"]
    for name in ("training loss by epoch", "accuracy, validation by epoch"):
        assert dialog.get_by_role("img", name=name).locator("circle").count() == len(curve["losses"])
    dialog.get_by_text("The same as a table").click()
    rows = dialog.get_by_role("region", name="learning curve by epoch").locator("tbody tr")
    assert rows.count() == len(curve["losses"])
    assert rows.last.inner_text().split()[-1] == f"{100 * curve['accuracies'][-1]:.2f}%"
    page.keyboard.press("Escape")
    sync_api.expect(dialog).to_have_count(0)


def test_events_that_were_missed_are_asked_for_again(open_page, done):
    search, _ = done
    page = open_page("#/")
    asked = []

    def broken(route):
        asked.append(route.request.headers.get("last-event-id"))
        if len(asked) == 1:
            text = 'id: 1\nevent: state\ndata: {"state":"queued","at":"2026-05-01T12:00:00.000Z"}\n\nid: 2\nev'
            route.fulfill(status=200, content_type="text/event-stream", body=text)
        else:
            route.continue_()

    page.route("**/events", broken)
    page.goto(f"{page.url.partition('#')[0]}#/searches/{search['id']}")
    sync_api.expect(page.locator(".log li").last).to_contain_text("The search is done.")
    assert asked[:2] == ["0", "1"], "the half event was not counted"
    assert page.locator(".log li", has_text="The search is queued.").count() == 1


def test_a_search_is_cancelled_and_resumed_by_buttons(open_page, server, tiny):
    id_ = server.client.post("/v1/searches", json=tiny | {"trainings": 500, "seed": 2}).json()["id"]
    page = open_page(f"#/searches/{id_}")
    page.get_by_role("button", name="Cancel").click()
    page.locator(".chip.cancelled").wait_for()
    page.get_by_label("new total of trainings").fill("600")
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Cancel").wait_for()
    assert server.client.get(f"/v1/searches/{id_}").json()["trainings"] == 600
    page.get_by_role("button", name="Cancel").click()
    page.locator(".chip.cancelled").wait_for()
    server.wait(id_)


def test_a_prediction_shows_the_numbers_of_the_api_and_names_are_text(open_page, server, onnx_file, tmp_path):
    hostile = tmp_path / "<img src=x onerror=alert(1)>.onnx"
    shutil.copy(onnx_file, hostile)
    page = open_page("#/predict")
    page.locator("input[type=file]").set_input_files(hostile)
    first = page.locator(".prediction").first
    first.wait_for()
    sha256 = hashlib.sha256(onnx_file.read_bytes()).hexdigest()
    answer = server.client.post(f"/v1/models/{sha256}:predict", json={"task": "digits", "explain": True}).json()
    text = first.inner_text()
    low, high = answer["interval"]
    assert f"{100 * answer['accuracy']:.1f}%" in text
    assert f"{100 * low:.1f} to {100 * high:.1f}%" in text
    assert answer["support"] in text
    assert answer["why"][1:] in text
    assert first.get_by_role("region", name="what each layer costs").locator("tbody tr").count() == len(
        answer["explanation"]["layers"]
    )
    assert page.get_by_text(hostile.name).count() >= 1
    assert page.locator("main img").count() == 0


def test_a_problem_stands_beside_its_field(open_page):
    page = open_page("#/compare")
    page.route("**/searches:validate", lambda route: _answered(route, '"nnz<=0"', '"screen":2'))
    page.goto(f"{page.url.partition('#')[0]}#/new")
    page.locator(".estimate").wait_for()
    page.get_by_label("bound of limit 1").fill("0")
    limits = page.locator(".field.wrong")
    sync_api.expect(limits).to_contain_text("can never be met")
    assert "Limits" in limits.inner_text()
    page.get_by_text("Advanced").click()
    page.get_by_label("bound of limit 1").fill("300")
    page.get_by_label("Screen", exact=True).fill("2")
    sync_api.expect(page.locator(".field.wrong")).to_contain_text("screen must be at least 8")
    open_page.said[:] = [text for text in open_page.said if "422" not in text]  # Chromium notes every such answer


def test_a_csv_file_becomes_a_task(open_page, server, tmp_path):
    rows = "".join(f"{i % 7},{i % 5},{'ab'[i % 2]}\n" for i in range(60))
    file = tmp_path / "things.csv"
    file.write_text(f'"width, of <b>it</b>",height,kind\n{rows}')
    page = open_page("#/compare")
    page.route("**/searches:validate", lambda route: route.fulfill(json=OUTLOOK))
    page.goto(f"{page.url.partition('#')[0]}#/new")
    page.get_by_text("Your data").click()
    page.locator("input[type=file]").set_input_files(file)
    target = page.get_by_label("Column to predict")
    assert target.locator("option").all_inner_texts() == ["width, of <b>it</b>", "height", "kind"]
    assert target.input_value() == "kind"
    page.get_by_role("button", name="Upload").click()
    sync_api.expect(page.get_by_label("uploaded data set")).to_contain_text("things.csv")
    (stored,) = server.client.get("/v1/datasets").json()["items"]
    assert stored["name"] == "things.csv"
    other = open_page("#/predict")
    sync_api.expect(other.get_by_label("Task", exact=True)).to_contain_text("your data: things.csv")
    page.get_by_text("The same with curl").click()
    sync_api.expect(page.get_by_role("region", name="Ask for this search")).to_contain_text(stored["sha256"])


def test_a_token_is_kept_in_the_tab_and_sent_as_a_header(open_page, serve, tmp_path):
    data = tmp_path / "data"
    server = serve(data, "--searches", "0")
    command = [sys.executable, "-m", "nas", "token", "create", "page", "--data", str(data), "--format", "json"]
    token = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["token"]
    page = open_page("#/", address=server.address)
    sent = []
    page.on("request", lambda request: sent.append((request.url, request.headers.get("authorization"))))
    page.get_by_role("dialog").get_by_label("Token").fill("nas_" + "x" * 43)
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    sync_api.expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("unknown")
    page.get_by_role("dialog").get_by_label("Token").fill(token)
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    page.get_by_text("There is no search yet.").wait_for()
    assert sent[-1][1] == f"Bearer {token}"
    assert not any(token in url for url, _ in sent)
    assert page.context.cookies() == []
    assert page.evaluate("[Object.values(sessionStorage), Object.values(localStorage)]") == [[token], []]
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("dialog").wait_for()
    assert page.evaluate("Object.values(sessionStorage)") == []
    open_page.said[:] = [text for text in open_page.said if "401" not in text]  # Chromium notes every such answer


def test_a_search_can_be_asked_for_without_a_mouse(open_page):
    page = open_page("#/compare")
    page.route("**/searches:validate", lambda route: route.fulfill(json=OUTLOOK))
    page.get_by_role("heading", name="Compare").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.get_by_role("link", name="New search").first.focus()
    page.keyboard.press("Enter")
    page.locator(".estimate").wait_for()
    page.get_by_label("Built-in task", exact=True).focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text("Drop a .csv or .npz file").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") in ("file", "select-one")
    page.get_by_role("button", name="remove limit 1").focus()
    page.keyboard.press("Enter")
    sync_api.expect(page.get_by_role("button", name="Add a limit")).to_be_visible()


def test_another_metric_is_shown_by_its_name_direction_and_unit(open_page, done):
    search, _ = done
    page = open_page("#/")
    metric = {"name": "rmse", "goal": "minimize", "unit": "m"}
    searched = f"**/v1/searches/{search['id']}"
    page.route(
        searched, lambda route: route.fulfill(json=search | {"metric": metric, "state": "cancelled", "result": None})
    )
    page.goto(f"{page.url.partition('#')[0]}#/searches/{search['id']}")
    tile = page.locator(".tile").first
    sync_api.expect(tile).to_contain_text("rmse, less is better")
    sync_api.expect(tile).to_contain_text(re.compile(r"0\.\d+ m"))
    page.get_by_role("heading", name="Rmse and nnz").wait_for()
    page.get_by_role("img", name="rmse against non-zero weights of all trials").wait_for()


def test_a_service_that_cannot_work_says_why_on_every_view(open_page):
    page = open_page("#/compare")
    reason = "the disk of the data folder is full"
    problem = {"type": "urn:nas:problem:not-ready", "title": "Service Unavailable", "status": 503, "detail": reason}
    page.route("**/v2/health/ready", lambda route: route.fulfill(status=503, json=problem))
    page.get_by_role("link", name="Predict").click()
    line = page.get_by_text(f"The service cannot work now: {reason}.")
    line.wait_for()
    page.unroute("**/v2/health/ready")
    page.get_by_role("link", name="Compare").click()
    sync_api.expect(line).to_have_count(0)
    open_page.said[:] = [text for text in open_page.said if "503" not in text]  # Chromium notes every such answer


def test_a_search_is_a_template_for_another_one(open_page, done):
    search, _ = done
    page = open_page("#/compare")
    page.route("**/searches:validate", lambda route: route.fulfill(json=OUTLOOK))
    with page.expect_request("**/searches:validate") as asked:
        page.goto(f"{page.url.partition('#')[0]}#/new?from={search['id']}")
    assert asked.value.post_data_json == search["request"]


def test_an_uploaded_model_is_the_architecture_of_a_search(open_page, onnx_file):
    page = open_page("#/compare")
    page.route("**/searches:validate", lambda route: route.fulfill(json=OUTLOOK))
    page.goto(f"{page.url.partition('#')[0]}#/new")
    page.get_by_text("Your model", exact=True).click()
    with page.expect_request("**/searches:validate") as asked:
        page.locator("input[type=file]").set_input_files(onnx_file)
    assert asked.value.post_data_json["model"] == hashlib.sha256(onnx_file.read_bytes()).hexdigest()


def test_uploads_and_searches_are_deleted_by_keyboard_after_a_question(open_page, server, onnx_file, tiny):
    model = onnx_file.read_bytes() + b"\x12\x05other"  # the field producer_name of the format
    binary = {"content-type": "application/octet-stream"}
    sha256 = server.client.post("/v1/models", content=model, headers=binary).json()["sha256"]
    page = open_page("#/predict")
    page.get_by_label("earlier upload").select_option(sha256)
    page.locator(".prediction").first.wait_for()
    dialog = page.get_by_role("alertdialog")
    for key, there in (("Escape", 200), ("Tab", 404)):
        page.get_by_role("button", name="Delete").focus()
        page.keyboard.press("Enter")
        dialog.wait_for()
        assert page.evaluate("document.activeElement.textContent") == "Keep it"
        page.keyboard.press(key)
        if key == "Tab":
            page.keyboard.press("Enter")
        sync_api.expect(dialog).to_have_count(0)
        if there == 404:
            page.get_by_text("The answer appears here.").wait_for()
        assert server.client.get(f"/v1/models/{sha256}").status_code == there
    id_ = server.client.post("/v1/searches", json=tiny | {"trainings": 400, "seed": 3}).json()["id"]
    server.client.post(f"/v1/searches/{id_}:cancel")
    server.wait(id_)
    page.goto(f"{page.url.partition('#')[0]}#/searches/{id_}")
    page.get_by_role("button", name="Delete").press("Enter")
    dialog.get_by_role("button", name="Delete").press("Enter")
    page.get_by_role("heading", name="Searches").wait_for()
    assert server.client.get(f"/v1/searches/{id_}").status_code == 404


@pytest.mark.parametrize(
    ("scheme", "viewport"), [("light", DESK), ("dark", PHONE)], ids=["light on a desk", "dark on a phone"]
)
def test_every_view_is_accessible_and_fits(open_page, server, done, onnx_file, scheme, viewport):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    search, _ = done
    if len(server.client.get("/v1/searches").json()["items"]) == 1:  # a comparison needs two
        second = server.client.post("/v1/searches", json=search["request"]).json()
        server.client.post(f"/v1/searches/{second['id']}:cancel")
    page = open_page("#/", color_scheme=scheme, viewport=viewport)
    page.route("**/searches:validate", lambda route: route.fulfill(json=OUTLOOK))
    views = {
        "#/": ".search-row",
        "#/new": ".estimate",
        f"#/searches/{search['id']}": "svg.network",
        "#/predict": ".drop",
        "#/compare": ".both",
    }
    root = page.url.partition("#")[0]
    for place, sign in views.items():
        page.goto(root + place)
        page.locator(sign).first.wait_for()
        if place == "#/new":
            page.get_by_text("Advanced").click()
        if place == "#/predict":
            page.locator("input[type=file]").set_input_files(onnx_file)
            page.locator(".prediction").first.wait_for()
        if place == f"#/searches/{search['id']}":
            page.get_by_role("region", name="trials").get_by_role("button", name="0", exact=True).click()
            page.get_by_text("The same as a table").click()
        found = axe.Axe().run(page).response["violations"]
        serious = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
        assert serious == [], place
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide == 0, f"{place} is wider than the window"
