//! Identity as its routes and tokens show it.
