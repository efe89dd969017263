"""The dashboards as tables of panels: what they show, apart from how Grafana wants it written."""

from boards import cost, overview, reliability
from boards.panel import Board

BOARDS: tuple[Board, ...] = (overview.BOARD, reliability.BOARD, cost.BOARD)
