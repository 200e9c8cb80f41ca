-- An unfinished run does not expire, however long it waits.
touch()
return { 'done' }
