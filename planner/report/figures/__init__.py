"""One figure a file: what it shows, drawn for a wide and for a narrow page, and its data as rows."""
