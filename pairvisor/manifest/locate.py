class Lines:
    def __init__(self, text: str) -> None:
        pass

    def line_of(self, key: tuple[str | int, ...]) -> int:
        return 0
