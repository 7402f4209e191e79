"""How much of a step was measured, told from the number of samples alone."""

from __future__ import annotations

import numpy as np
import pytest

from analyzer.collect.sampling import covered, heard, interval_s, present, samples_per_step
from analyzer.model import StepArray


def counts(*values: float) -> StepArray:
    return np.array(values, dtype=np.float32)


class TestSamplesPerStep:
    @pytest.mark.parametrize(("interval", "each"), [(15, 20), (30, 10), (60, 5), (300, 1)])
    def test_a_regular_interval_is_what_a_step_holds(self, interval: int, each: int) -> None:
        found = samples_per_step([np.full(288, each, dtype=np.float32)])
        assert found == each
        assert interval_s(found) == interval

    def test_45_seconds_average_out(self) -> None:
        # Scraped at 45, 90, ... s over 9 steps (2,700 s): 60 samples. (0, 300] holds 45 .. 270:
        # 6; (300, 600]: 315 .. 585: 7; (600, 900]: 630 .. 900: 7; then the same again.
        found = samples_per_step([counts(6, 7, 7, 6, 7, 7, 6, 7, 7)])
        # 60 / 9 = 6.667 = 300 / 45
        assert found == pytest.approx(300 / 45)
        assert interval_s(found) == pytest.approx(45)

    def test_at_45_seconds_every_step_of_six_or_seven_is_whole(self) -> None:
        assert covered(counts(6, 7, 7), 300 / 45).tolist() == [1.0, 1.0, 1.0]

    def test_steps_cut_short_do_not_count(self) -> None:
        assert samples_per_step([counts(2, 10, 10, 10, 3, 10)]) == 10

    def test_silence_does_not_count(self) -> None:
        assert samples_per_step([counts(0, 0, 0, 0, 0, 10, 10)]) == 10

    def test_a_lost_scrape_now_and_then_barely_moves_it(self) -> None:
        # Median 20, so 18 to 22 count: (20 x 9 + 19) / 10 = 19.9.
        assert samples_per_step([counts(*[20] * 9, 19)]) == pytest.approx(19.9)

    def test_no_sample_is_zero_and_not_an_error(self) -> None:
        assert samples_per_step([]) == 0.0
        assert samples_per_step([counts(0, 0)]) == 0.0
        assert interval_s(0.0) == 0.0

    def test_nan_is_no_sample(self) -> None:
        assert samples_per_step([counts(np.nan, 5, 5)]) == 5


class TestCovered:
    def test_half_the_samples_are_half_the_step(self) -> None:
        assert covered(counts(0, 5, 10, 12), 10).tolist() == [0.0, 0.5, 1.0, 1.0]

    def test_an_unknown_interval_covers_nothing(self) -> None:
        assert covered(counts(1, 2), 0.0).tolist() == [0.0, 0.0]


class TestPresent:
    """kube-state-metrics goes silent; what it told of does not go away with it."""

    def test_a_silence_between_two_sightings_is_bridged(self) -> None:
        told = counts(1, 1, 0, 0, 1)
        assert present(counts(5, 5, 0, 0, 5), 5, told).tolist() == [1, 1, 1, 1, 1]

    def test_an_absence_while_others_were_told_of_is_an_absence(self) -> None:
        told = counts(1, 1, 1, 1, 1)
        assert present(counts(5, 5, 0, 0, 5), 5, told).tolist() == [1, 1, 0, 0, 1]

    def test_nothing_is_made_up_before_the_first_or_after_the_last_sighting(self) -> None:
        told = counts(0, 0, 1, 1, 0, 0)
        assert present(counts(0, 0, 5, 5, 0, 0), 5, told).tolist() == [0, 0, 1, 1, 0, 0]

    def test_a_part_of_a_step_is_measured_against_what_was_heard_of_it(self) -> None:
        # Two of five scrapes worked and the pod was in both; then four, and it was in one.
        assert present(counts(2, 1), 5, counts(0.4, 0.8)).tolist() == pytest.approx([1.0, 0.25])

    def test_a_thing_never_seen_is_never_there(self) -> None:
        assert present(counts(0, 0, 0), 5, counts(1, 0, 1)).tolist() == [0, 0, 0]


def test_an_exporter_is_heard_as_much_as_its_fullest_series() -> None:
    found = heard([counts(5, 0, 1), counts(2, 0, 4)], 5, 3)
    assert found.tolist() == pytest.approx([1.0, 0.0, 0.8])


def test_counts_far_apart_still_give_a_number() -> None:
    # Nothing lies between 1 and 5: the higher of the two middles is taken, not their mean.
    assert samples_per_step([counts(0, 1, 5)]) == 5.0
