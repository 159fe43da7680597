"""Metrics: Prometheus's text format, also of labels that need escaping."""

from infra.cli import backup_metrics


def test_each_name_is_described_once_and_labels_are_escaped() -> None:
    of = {"deployment": 'a"b\\c\nd'}
    text = backup_metrics.text(
        [
            ("one", "First.", {}, True),
            ("two", "Second.", of, 1.5),
            ("two", "Second.", {**of, "within": "30d"}, 1_795_386_745.165152),
        ]
    )
    assert text.splitlines() == [
        "# HELP one First.",
        "# TYPE one gauge",
        "one 1",
        "# HELP two Second.",
        "# TYPE two gauge",
        'two{deployment="a\\"b\\\\c\\nd"} 1.5',
        'two{deployment="a\\"b\\\\c\\nd",within="30d"} 1795386745.165152',
    ]
