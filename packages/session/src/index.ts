// The door of @zebu/session: export from here what other packages may import.
export {};
