"""Works to members: create, change, repair and remove what they carry."""
