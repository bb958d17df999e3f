"""Parts that mask methods share: live units, layers on their own, moments of inputs, mean-field and linear flow, surgery."""
