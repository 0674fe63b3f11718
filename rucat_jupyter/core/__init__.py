"""Values and rules of engines, without IO; every package imports it, and it imports none of them."""
