-- The legal moves, by hand, from the protocol: what src/core/moves.c says.
insert into inferpipe_test.legal_moves (from_state, to_state) values
  (-1, 0),                                  -- start, retry by hand
  (-1, 1),                                  -- start by a worker for itself
  (0, 1), (2, 1), (3, 1), (4, 1),           -- claim of what is due
  (1, 0),                                   -- take-over, hand-back, leave
  (1, 2), (1, 3), (1, 4),                   -- park: timer, message, backoff
  (1, 6), (6, 6), (6, 0), (6, 1), (6, -1),  -- wait for children, the ends of some, of enough
  (1, 1),                                   -- cancel flag, has_journal
  (0, 0),                                   -- cancel flag
  (2, 2), (3, 3), (4, 4),                   -- somebody waits for its end
  (2, 0), (3, 0), (4, 0),                   -- message, cancel
  (1, -1),                                  -- end, forced cancel, poison
  (0, -1), (2, -1), (3, -1), (4, -1),       -- cancel of what has no journal, forced cancel
  (-1, 7), (7, 7), (7, 0), (7, 1),          -- start with a key, wait, admission, deadline
  (7, -1);
