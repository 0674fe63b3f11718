"""What notebooks show of engines as widgets: cards, the table, the create form, and the text that stays of them."""
