"""What is shown to a person: pictures, the page, the folder of everything."""
