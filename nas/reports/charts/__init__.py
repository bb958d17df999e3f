"""Charts of a report as inline SVG, drawn by ourselves: they follow the page's colours, light and dark, and its width."""
