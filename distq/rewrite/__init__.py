"""Passes from one logical circuit to an equal one (`passes` names them; `normal`, `budget`, `merge`, `expand`)."""
