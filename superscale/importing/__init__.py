"""How ``import superscale`` stays quick, and sees whose packages it imports."""
