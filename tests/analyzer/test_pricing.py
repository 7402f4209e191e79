"""Which price a GPU-hour gets, and by what name a GPU is known."""

from __future__ import annotations

from datetime import date

import pytest

from analyzer.model import NodeClass
from analyzer.pricing import (
    CATALOGUE,
    Price,
    PriceBook,
    PriceRule,
    find_gpu,
    gpu_name,
    mig_share,
    names_gpu,
    plain_product,
    select_labels,
)

LABEL = ("example.com/contract", "reserved")


def rule(usd: float, spot: float | None = None, **conditions: object) -> PriceRule:
    made = None if spot is None else Price(spot, f"spot {spot}")
    return PriceRule(Price(usd, f"rule {usd}", date(2026, 10, 1)), made, **conditions)  # type: ignore[arg-type]


def usd(book: PriceBook, node: NodeClass) -> float | None:
    quote = book.quote(node)
    return None if quote is None else quote.price.usd_per_gpu_hour


H100 = NodeClass("H100 SXM 80GB", instance_type="p5.48xlarge", labels=(LABEL,))


class TestPrecedence:
    BY_GPU = rule(1.0, gpu="H100")
    BY_TYPE = rule(2.0, instance_type="p5.48xlarge")
    BY_LABEL = rule(3.0, node_labels=(LABEL,))

    @pytest.mark.parametrize("turned", [False, True])
    def test_a_node_label_goes_before_an_instance_type_before_a_gpu(self, turned: bool) -> None:
        def book(*rules: PriceRule) -> PriceBook:
            return PriceBook(tuple(reversed(rules)) if turned else rules)

        assert usd(book(self.BY_GPU, self.BY_TYPE, self.BY_LABEL), H100) == 3.0
        assert usd(book(self.BY_GPU, self.BY_TYPE), H100) == 2.0
        assert usd(book(self.BY_GPU), H100) == 1.0
        # Without any rule the catalogue's: 6.88 (AWS).
        assert usd(book(), H100) == 6.88

    def test_two_labels_go_before_one(self) -> None:
        node = NodeClass("T4", labels=(("a", "1"), ("b", "2")))
        one, two = (
            rule(1.0, node_labels=(("a", "1"),)),
            rule(2.0, node_labels=(("a", "1"), ("b", "2"))),
        )
        assert usd(PriceBook((two, one)), node) == 2.0

    def test_of_equal_rules_the_later_counts(self) -> None:
        assert usd(PriceBook((rule(1.0, gpu="H100"), rule(2.0, gpu="H100"))), H100) == 2.0

    @pytest.mark.parametrize(
        "conditions",
        [
            {"gpu": "A100"},
            {"instance_type": "p5"},
            {"node_labels": (("example.com/contract", "on-demand"),)},
            {"gpu": "H100", "instance_type": "p4d.24xlarge"},
            {"node_labels": (LABEL, ("other", "x"))},
        ],
    )
    def test_a_rule_counts_only_where_all_its_conditions_hold(
        self, conditions: dict[str, object]
    ) -> None:
        assert usd(PriceBook((rule(1.0, **conditions),)), H100) == 6.88

    def test_a_rule_prices_a_gpu_that_the_catalogue_does_not_know(self) -> None:
        assert usd(PriceBook((rule(9.0, gpu="Gaudi3"),)), NodeClass("Gaudi3")) == 9.0


class TestSpot:
    def test_a_spot_node_costs_the_spot_price(self) -> None:
        assert usd(PriceBook(), NodeClass("H100 SXM 80GB", spot=True)) == 2.27
        book = PriceBook((rule(4.0, 1.5, gpu="H100"),))
        assert usd(book, NodeClass("H100 SXM 80GB", spot=True)) == 1.5

    def test_a_spot_price_is_not_for_on_demand_nodes(self) -> None:
        assert usd(PriceBook((rule(4.0, 1.5, gpu="H100"),)), H100) == 4.0

    def test_spot_without_a_price_is_charged_in_full_and_noted(self) -> None:
        quote = PriceBook().quote(NodeClass("L4", spot=True))
        assert quote is not None
        assert quote.price.usd_per_gpu_hour == 0.805
        assert "no spot price for L4" in quote.note

    def test_spot_with_a_price_needs_no_note(self) -> None:
        quote = PriceBook().quote(NodeClass("T4", spot=True))
        assert quote is not None
        assert quote.note == ""

    def test_a_discount_stands_in_for_a_missing_spot_price_and_says_so(self) -> None:
        # 0.805 x (1 - 0.6) = 0.322
        quote = PriceBook(spot_discount=0.6).quote(NodeClass("L4", spot=True))
        assert quote is not None
        assert quote.price.usd_per_gpu_hour == pytest.approx(0.322)
        assert quote.price.source == "AWS on-demand less 60% for spot"

    def test_a_discount_leaves_a_known_spot_price_alone(self) -> None:
        assert usd(PriceBook(spot_discount=0.6), NodeClass("T4", spot=True)) == 0.149

    def test_a_rule_without_a_spot_price_does_not_borrow_the_catalogues(self) -> None:
        quote = PriceBook((rule(4.0, gpu="H100"),)).quote(NodeClass("H100 SXM 80GB", spot=True))
        assert quote is not None
        assert quote.price.usd_per_gpu_hour == 4.0
        assert quote.note


class TestNames:
    @pytest.mark.parametrize(
        ("written", "name"),
        [
            ("Tesla T4", "T4"),
            ("NVIDIA-L4", "L4"),
            ("NVIDIA L4", "L4"),
            ("NVIDIA L40S", "L40S"),
            ("NVIDIA A10G", "A10G"),
            ("NVIDIA A10", "A10"),
            ("NVIDIA RTX 4000 Ada Generation", "RTX 4000 Ada"),
            ("NVIDIA A100-SXM4-40GB", "A100 40GB"),
            ("NVIDIA-A100-SXM4-80GB", "A100 80GB"),
            ("NVIDIA A100-PCIE-40GB", "A100 40GB"),
            ("NVIDIA A100 80GB PCIe", "A100 80GB"),
            ("nvidia-tesla-a100", "A100 40GB"),
            ("nvidia-a100-80gb", "A100 80GB"),
            ("NVIDIA H100 80GB HBM3", "H100 SXM 80GB"),
            ("nvidia-h100-80gb", "H100 SXM 80GB"),
            ("NVIDIA H100 PCIe", "H100 PCIe 80GB"),
            ("NVIDIA-H100-NVL", "H100 NVL 94GB"),
            ("NVIDIA H200", "H200"),
            ("NVIDIA B200", "B200"),
            ("AMD Instinct MI300X", "MI300X"),
            ("NVIDIA-A100-SXM4-80GB-MIG-1g.10gb", "A100 80GB"),
            ("NVIDIA-A100-SXM4-40GB-MIG-3g.20gb-SHARED", "A100 40GB"),
            ("Tesla-T4-SHARED", "T4"),
            ("NVIDIA A30", "A30"),
        ],
    )
    def test_a_gpu_is_known_by_the_names_it_goes_by(self, written: str, name: str) -> None:
        assert gpu_name(written) == name

    @pytest.mark.parametrize(
        "written", ["", " ", "NVIDIA", "NVIDIA L40", "NVIDIA A16", "T400", "A100X", "Quadro"]
    )
    def test_an_unknown_gpu_has_no_entry_and_no_price(self, written: str) -> None:
        assert find_gpu(written) is None
        assert PriceBook().quote(NodeClass(written)) is None

    def test_an_unknown_gpu_keeps_the_name_it_came_with(self) -> None:
        assert gpu_name(" Quadro RTX 8000 ") == "Quadro RTX 8000"

    @pytest.mark.parametrize("board", ["NVIDIA H100 PCIe", "NVIDIA H100 NVL", "NVIDIA A30"])
    def test_a_board_that_nobody_priced_is_known_and_has_no_price(self, board: str) -> None:
        assert find_gpu(board) is not None
        assert PriceBook().quote(NodeClass(gpu_name(board))) is None

    def test_an_h100_pcie_does_not_get_the_sxm_price(self) -> None:
        assert usd(PriceBook(), NodeClass("NVIDIA H100 80GB HBM3")) == 6.88
        assert usd(PriceBook(), NodeClass("NVIDIA H100 PCIe")) is None

    def test_every_name_of_the_catalogue_finds_itself(self) -> None:
        for gpu in CATALOGUE:
            assert find_gpu(gpu.name) is gpu

    @pytest.mark.parametrize(
        ("wanted", "model", "covered"),
        [
            ("H100", "H100 SXM 80GB", True),
            ("H100", "H100 PCIe 80GB", True),
            ("H100 PCIe", "H100 SXM 80GB", False),
            ("A100", "A100 40GB", True),
            ("A100 80GB", "A100 40GB", False),
            ("L4", "L40S", False),
            ("A10", "A10G", False),
            ("nvidia-l4", "L4", True),
            ("NVIDIA-A100-SXM4-80GB", "A100 80GB", True),
            ("Gaudi3", "gaudi3", True),
        ],
    )
    def test_a_persons_name_covers_what_it_means(
        self, wanted: str, model: str, covered: bool
    ) -> None:
        assert names_gpu(wanted, model) is covered

    @pytest.mark.parametrize(
        ("product", "plain"),
        [
            ("NVIDIA-A100-SXM4-80GB-MIG-1g.10gb", "NVIDIA-A100-SXM4-80GB"),
            ("Tesla-T4-SHARED", "Tesla-T4"),
            ("NVIDIA-A100-SXM4-80GB-MIG-1g.10gb-SHARED", "NVIDIA-A100-SXM4-80GB"),
            ("NVIDIA-L4", "NVIDIA-L4"),
        ],
    )
    def test_what_mig_and_sharing_append_is_taken_off(self, product: str, plain: str) -> None:
        assert plain_product(product) == plain


class TestMigShare:
    @pytest.mark.parametrize(
        ("profile", "model", "share"),
        [
            ("1g.10gb", "A100 80GB", 1 / 7),
            ("3g.40gb", "A100 80GB", 3 / 7),
            ("7g.80gb", "A100 80GB", 1.0),
            ("1g.6gb", "A30", 1 / 4),
            ("4g.24gb", "NVIDIA A30", 1.0),
            ("2g_10gb", "A100 40GB", 2 / 7),  # as kube-state-metrics writes it
            ("1g.10gb+me", "A100 80GB", 1 / 7),
            ("1g.12gb", "H100 NVL 94GB", 1 / 7),
            ("1g.10gb", "", 1 / 7),
            ("9g.80gb", "A100 80GB", 1.0),
        ],
    )
    def test_a_profile_is_its_compute_slices(self, profile: str, model: str, share: float) -> None:
        assert mig_share(profile, model) == pytest.approx(share)

    @pytest.mark.parametrize("profile", ["", "whole", "g.10gb", "-1g.10gb", "1c"])
    def test_what_is_no_profile_has_no_share(self, profile: str) -> None:
        assert mig_share(profile, "A100 80GB") is None


class TestCatalogue:
    @pytest.mark.parametrize(
        ("name", "on_demand", "spot"),
        [  # the dated table of prices that the defaults come from
            ("T4", 0.526, 0.149),
            ("L4", 0.805, None),
            ("A10G", 1.006, 0.62),
            ("A10", 2.00, None),
            ("L40S", 1.861, 0.94),
            ("A100 40GB", 2.74, 0.74),
            ("A100 80GB", 3.43, 0.68),
            ("H100 SXM 80GB", 6.88, 2.27),
            ("H200", 3.99, 1.45),
            ("B200", 6.00, None),
            ("MI300X", 3.45, 0.95),
        ],
    )
    def test_the_defaults_are_the_tables(
        self, name: str, on_demand: float, spot: float | None
    ) -> None:
        gpu = find_gpu(name)
        assert gpu is not None
        assert gpu.on_demand is not None
        assert gpu.on_demand.usd_per_gpu_hour == on_demand
        assert (gpu.spot.usd_per_gpu_hour if gpu.spot else None) == spot

    def test_every_price_names_its_source_and_spot_is_cheaper(self) -> None:
        for gpu in CATALOGUE:
            for price in filter(None, (gpu.on_demand, gpu.spot)):
                assert price.source
                assert price.usd_per_gpu_hour > 0
            if gpu.on_demand and gpu.spot:
                assert gpu.spot.usd_per_gpu_hour < gpu.on_demand.usd_per_gpu_hour


def test_only_labels_that_a_rule_looks_at_are_kept() -> None:
    labels = {"b": "2", "a": "1", "noise": "x"}
    rules = (rule(1.0, node_labels=(("b", "9"),)), rule(2.0, node_labels=(("a", "1"),)))
    assert select_labels(labels, rules) == (("a", "1"), ("b", "2"))


@pytest.mark.parametrize("usd", [float("nan"), float("inf"), -0.01, 1e7])
def test_what_can_be_no_price_is_none(usd: float) -> None:
    book = PriceBook((PriceRule(Price(usd, "list"), Price(1.0, "list"), gpu="L4"),))
    assert book.quote(NodeClass("L4")) is None
    spot = book.quote(NodeClass("L4", spot=True))
    assert spot is not None
    assert spot.price.usd_per_gpu_hour == 1.0
