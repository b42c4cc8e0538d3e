"""Labels of discs to be printed: what goes on their face or hub, their spine, their box. Pure: values in, text out."""
