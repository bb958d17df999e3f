"""Charts of a report as inline SVG without a plotting library: they follow the page's width and colours, light or dark."""
