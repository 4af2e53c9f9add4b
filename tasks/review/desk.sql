CREATE TABLE items (
    item_id    TEXT PRIMARY KEY,
    public_id  TEXT NOT NULL UNIQUE,
    kind       TEXT NOT NULL,
    dimension  TEXT NOT NULL,
    slide_id   TEXT NOT NULL,
    field_id   TEXT NOT NULL,
    patient_id TEXT NOT NULL,
    place      INTEGER NOT NULL,
    readers    INTEGER NOT NULL,
    flagged    INTEGER NOT NULL,
    content    TEXT NOT NULL,
    open       INTEGER NOT NULL,
    -- to_read | second | differ | accept | edit | reject: follows from the events
    state      TEXT NOT NULL DEFAULT 'to_read'
);
CREATE INDEX items_by_place ON items (open, state, place);
CREATE TABLE slides (
    slide_id   TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    uri        TEXT NOT NULL,
    width_px0  INTEGER NOT NULL,
    height_px0 INTEGER NOT NULL,
    mpp_x      REAL NOT NULL,
    mpp_y      REAL NOT NULL
);
CREATE TABLE tiles (
    tile_id       TEXT PRIMARY KEY,
    field_id      TEXT NOT NULL,
    scale         TEXT NOT NULL,
    mpp           REAL NOT NULL,
    x_px0         INTEGER NOT NULL,
    y_px0         INTEGER NOT NULL,
    box_width_px0 INTEGER NOT NULL,
    box_height_px0 INTEGER NOT NULL,
    width_px      INTEGER NOT NULL,
    height_px     INTEGER NOT NULL,
    image         BLOB NOT NULL
);
CREATE INDEX tiles_by_field ON tiles (field_id);
CREATE TABLE events (
    number     INTEGER PRIMARY KEY,
    event_id   TEXT NOT NULL UNIQUE,
    item_id    TEXT NOT NULL REFERENCES items (item_id),
    reviewer   TEXT NOT NULL,
    kind       TEXT NOT NULL,
    payload    TEXT NOT NULL,
    at         TEXT NOT NULL,
    duration_s REAL,
    previous   TEXT NOT NULL UNIQUE
);
CREATE INDEX events_by_item ON events (item_id, reviewer);
CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are only ever appended'); END;
CREATE TRIGGER events_remain BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are only ever appended'); END;
CREATE TABLE standings (
    item_id  TEXT NOT NULL REFERENCES items (item_id),
    reviewer TEXT NOT NULL,
    answered INTEGER NOT NULL,
    decision TEXT,
    latest   TEXT NOT NULL,
    PRIMARY KEY (item_id, reviewer)
) WITHOUT ROWID;
CREATE INDEX standings_by_reviewer ON standings (reviewer, item_id);
CREATE TABLE users (
    name     TEXT PRIMARY KEY,
    role     TEXT NOT NULL,
    password TEXT NOT NULL,
    active   INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE sessions (
    token_sha256 TEXT PRIMARY KEY,
    user         TEXT NOT NULL REFERENCES users (name),
    csrf         TEXT NOT NULL,
    expires      REAL NOT NULL
);
CREATE TABLE assignments (
    item_id TEXT NOT NULL REFERENCES items (item_id),
    user    TEXT NOT NULL REFERENCES users (name),
    PRIMARY KEY (item_id, user)
) WITHOUT ROWID;
CREATE INDEX assignments_by_user ON assignments (user, item_id);
