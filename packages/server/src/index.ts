// The door of @zebu/server: export from here what other packages may import.
export {};
