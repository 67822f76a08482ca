// The door of @zebu/sim: export from here what other packages may import.
export {};
