// The door of @zebu/client: export from here what other packages may import.
export {};
