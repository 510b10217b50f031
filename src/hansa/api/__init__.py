"""What objects are: kinds, fields, schemas, and how two versions of an object merge."""
