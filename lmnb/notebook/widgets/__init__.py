"""Models by mouse and keyboard. Each widget is a class of `lmnb`'s own: `lmnb.Chat()`."""
