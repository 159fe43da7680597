"""What is true, at any position: records folded into versions and links, and the questions asked of them; pure."""
